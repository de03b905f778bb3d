// SPDX-License-Identifier: MIT
/*
 * Checks manifests against the schemas of Kubernetes, without a cluster:
 *
 *   node check.mjs DIRECTORY FILE...     DIRECTORY: where npm has installed package.json's packages
 *
 * The types of kubernetes-models find keys that do not exist and values of a wrong type, its
 * validators formats and limits. The documents are printed as JSON, one a line; mistakes go to stderr.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [directory, ...files] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(directory, 'index.js')));
const yaml = require('js-yaml');
const ts = require('typescript');
let mistakes = 0;

function mistake(file, text) {
  process.stderr.write(`${file}: ${text}\n`);
  mistakes++;
}

async function validate(file, document) {
  const group = document.apiVersion;
  const path = join(directory, 'node_modules/kubernetes-models', group, 'index.js');
  const models = await import(pathToFileURL(path)).catch(() => ({}));
  if (!models[document.kind]) {
    mistake(file, `no such kind: ${group} ${document.kind}`);
    return;
  }
  try {
    new models[document.kind](document).validate();
  } catch (error) {
    mistake(file, error.message);
  }
}

// The document as a constant of its type: the compiler knows which keys and values there are.
function checkTypes(file, document) {
  const source = join(directory, 'manifest.ts');
  writeFileSync(source, `import type { I${document.kind} } from "kubernetes-models/${
    document.apiVersion}";\nexport const manifest: I${document.kind} = ${
    JSON.stringify(document, null, 2)};\n`);
  const program = ts.createProgram([source], {
    noEmit: true, strict: true, skipLibCheck: true, types: [], module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022 });
  for (const each of ts.getPreEmitDiagnostics(program)) {
    const line = each.file && each.start !== undefined
      ? each.file.text.slice(each.start).split('\n')[0].trim() : '';
    mistake(file, `${line}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')}`);
  }
}

for (const file of files) {
  for (const document of yaml.loadAll(readFileSync(file, 'utf8'))) {
    await validate(file, document);
    checkTypes(file, document);
    process.stdout.write(`${JSON.stringify(document)}\n`);
  }
}
process.exit(mistakes ? 1 : 0);
