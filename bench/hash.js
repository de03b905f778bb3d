// SPDX-License-Identifier: MIT
/*
 * Measures the hashes of the modules that we replace, by their own code in Node.js, over the
 * addresses of bench/hash.c.
 *
 * original  sticky-cluster's own benchmark, unchanged: each round is a process, and each hash one
 *           pass in it, so that the time of the compiler is included
 * warm      string-hash, which is sticky-cluster's djb2, and sticky-listen's int31, pass after pass
 *           in one process, after some passes that do not count
 *
 * NODE_PATH names the folder of the modules. Prints one JSON object.
 */
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { parseArgs } = require('node:util');
const Chance = require('./node/chance.js');

const WARM_UP = 5; // passes

function readOptions() {
  const number = { type: 'string' };
  const { values } = parseArgs({ options: { addresses: number, workers: number, rounds: number } });
  return {
    addresses: Number(values.addresses ?? 100000),
    workers: Number(values.workers ?? 10),
    rounds: Number(values.rounds ?? 15),
  };
}

// ---- The original benchmark

// With more than 100 workers Node.js does not print all counts: then there is no scatter.
function readScatter(text, workers) {
  const counts = text.split(',').map(Number);
  return counts.length === workers && counts.every(Number.isInteger) ? counts : null;
}

function readPrinted(output, name, workers) {
  const found = new RegExp(`^${name}\\n +time \\(ms\\): +(\\d+)\\n +scatter: +\\[([^\\]]*)\\]`, 'm')
    .exec(output);
  if (!found) throw new Error(`sticky-cluster's benchmark printed no ${name}:\n${output}`);
  return { ms: Number(found[1]), counts: readScatter(found[2], workers) };
}

function runOriginal({ addresses, workers }, round) {
  const file = path.join(path.dirname(require.resolve('sticky-cluster/package.json')),
    'benchmark', 'index.js');
  // The benchmark's int31 draws its seed by Math.random().
  return execFileSync(process.execPath, [`--random-seed=${round + 1}`, file, workers, addresses], {
    encoding: 'utf8', env: { ...process.env, NODE_PATH: path.join(__dirname, 'node') },
  });
}

function measureOriginal(options) {
  const results = { djb2: [], int31: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    const output = runOriginal(options, round);
    for (const [name, rounds] of Object.entries(results)) {
      rounds.push(readPrinted(output, name, options.workers));
    }
  }
  return results;
}

// ---- The same hashes, warm

function makeAddresses(count) {
  const chance = new Chance();
  return Array.from({ length: count }, (_, i) => (i % 2 === 0 ? chance.ip() : chance.ipv6()));
}

function measureOnce(addresses, workers, hash) {
  const counts = new Array(workers).fill(0);
  const start = performance.now();
  for (const address of addresses) counts[hash(address) % workers] += 1;
  return { ms: performance.now() - start, counts };
}

function measureWarm(options) {
  const addresses = makeAddresses(options.addresses);
  const djb2 = require('string-hash');
  const hasher = new (require('sticky-listen/lib/ip-hash.js'))();
  const int31 = (address) => hasher.hashString(address);
  const results = { djb2: [], int31: [] };
  for (let round = -WARM_UP; round < options.rounds; round += 1) {
    hasher.seed = Chance.mix32(round + WARM_UP) | 0;
    const measured = {
      djb2: measureOnce(addresses, options.workers, djb2),
      int31: measureOnce(addresses, options.workers, int31),
    };
    if (round >= 0) for (const name of Object.keys(results)) results[name].push(measured[name]);
  }
  return results;
}

const options = readOptions();
console.log(JSON.stringify({
  node: process.version,
  ...options,
  original: measureOriginal(options),
  warm: measureWarm(options),
}));
