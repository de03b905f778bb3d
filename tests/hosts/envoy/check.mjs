// SPDX-License-Identifier: MIT
/*
 * Checks a configuration of Envoy against Envoy's own protocol files, without Envoy: each key is a
 * field of its message, and each value is of the field's type.
 *
 *   node check.mjs DIRECTORY FILE...     DIRECTORY: where npm has installed package.json's packages
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [directory, ...files] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(directory, 'index.js')));
const yaml = require('js-yaml');
const protobuf = require('protobufjs');
const BASE = join(directory, 'node_modules/@grpc/grpc-js-xds/deps');
const PLACES = [...['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((name) => join(BASE, name)),
                join(directory, 'node_modules/protobufjs')];
const BOOTSTRAP = 'envoy/config/bootstrap/v3/bootstrap.proto';
const EXTENSIONS = {
  'envoy.extensions.filters.network.tcp_proxy.v3': 'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy.extensions.transport_sockets.proxy_protocol.v3': 'envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto',
  'envoy.extensions.transport_sockets.raw_buffer.v3': 'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
};
const DURATION = /^[0-9]+(\.[0-9]+)?s$/;
const WRAPPED = /^\.?google\.protobuf\.(Bool|String|Bytes|Float|Double|U?Int(32|64))Value$/;

let mistakes = 0;
function mistake(where, text) {
  process.stderr.write(`${where}: ${text}\n`);
  mistakes++;
}

function load() {
  const root = new protobuf.Root();
  root.resolvePath = (origin, target) => PLACES.map((place) => join(place, target))
    .find((path) => existsSync(path)) ?? protobuf.util.path.resolve(origin, target);
  root.loadSync([BOOTSTRAP, ...Object.values(EXTENSIONS)], { keepCase: true });
  return root;
}

const isNumber = (value) => typeof value === 'number';
const SCALARS = { string: (value) => typeof value === 'string', bool: (value) => typeof value === 'boolean',
                  bytes: (value) => typeof value === 'string' };

function checkValue(root, where, field, value) {
  const type = field.resolve().resolvedType;
  if (type instanceof protobuf.Enum) {
    if (!(value in type.values)) mistake(where, `${value} is none of ${Object.keys(type.values)}`);
  } else if (type) checkMessage(root, where, type, value);
  else if (!(SCALARS[field.type] ?? isNumber)(value)) mistake(where, `not of type ${field.type}`);
}

// Messages that are written in a form of their own. Returns whether this is one.
function checkWellKnown(root, where, type, value) {
  const name = type.fullName;
  if (name === '.google.protobuf.Duration') {
    if (!DURATION.test(value)) mistake(where, 'not a duration');
  } else if (name === '.google.protobuf.Any') {
    const { '@type': url, ...content } = value;
    const wanted = `${url}`.replace('type.googleapis.com/', '');
    let message;
    try {
      message = root.lookupType(wanted);
    } catch {
      mistake(where, `no such type: ${url}`);
      return true;
    }
    checkMessage(root, where, message, content);
  } else if (WRAPPED.test(name)) checkValue(root, where, type.fields.value, value);
  else if (name !== '.google.protobuf.Struct') return false;
  return true;
}

function checkMessage(root, where, type, value) {
  if (checkWellKnown(root, where, type, value)) return;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    mistake(where, `not a ${type.name}`);
    return;
  }
  for (const [key, content] of Object.entries(value)) {
    const field = type.fields[key];
    if (!field) mistake(where, `${type.name} has no field ${key}`);
    else if (field.repeated !== Array.isArray(content)) mistake(`${where}.${key}`, 'a list, or not one');
    else if (field.repeated) content.forEach((each, index) =>
      checkValue(root, `${where}.${key}[${index}]`, field, each));
    else checkValue(root, `${where}.${key}`, field, content);
  }
}

const root = load();
const bootstrap = root.lookupType('envoy.config.bootstrap.v3.Bootstrap');
for (const file of files) {
  checkMessage(root, file, bootstrap, yaml.load(readFileSync(file, 'utf8')));
}
process.exit(mistakes ? 1 : 0);
