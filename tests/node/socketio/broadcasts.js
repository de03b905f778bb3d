// SPDX-License-Identifier: MIT
/*
 * How long a broadcast takes to reach many clients of socket.io, and how many a second can be made.
 *
 *   node broadcasts.js '{"url": ..., "clients": 1000, "single": 50, "many": 300, "window": 8}'
 *
 * `single` broadcasts each wait until all clients have the one before; then `many` of them, of which
 * up to `window` are under way. Clients take turns in sending them. The line of JSON at the end has
 * the latencies in ms, and counts what arrived, arrived twice, or not at all.
 */
const { Agent } = require('node:http');
const { io } = require('socket.io-client');

const options = { network: '10.100', pause: 50, ...JSON.parse(process.argv[2]) };
const sockets = [];
const broadcasts = []; // of the present phase: { began, arrived: Uint8Array, count }
let twice = 0;
let arrived = () => {};

function connect(number) {
  const localAddress = `${options.network}.${Math.floor(number / 250)}.${number % 250 + 1}`;
  const socket = io(options.url, { agent: new Agent({ localAddress }), forceNew: true,
                                   transports: ['websocket'], reconnection: false });
  socket.on('told', (index) => {
    const broadcast = broadcasts[index];
    if (broadcast.arrived[number]++) twice++;
    else broadcast.count++;
    broadcast.latencies.push(performance.now() - broadcast.began);
    if (broadcast.count === options.clients) arrived(index);
  });
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
}

function tell() {
  const index = broadcasts.length;
  broadcasts.push({ began: performance.now(), count: 0, latencies: [],
                    arrived: new Uint8Array(options.clients) });
  sockets[index * 7919 % sockets.length].emit('tell', index);
}

// Resolves when `count` broadcasts have reached all, with up to `window` under way at a time.
function phase(count, window, pause) {
  const began = performance.now();
  let made = 0;
  let done = 0;
  return new Promise((resolve) => {
    const next = () => { if (made < count) { made++; tell(); } };
    arrived = () => {
      if (++done === count) resolve((performance.now() - began) / 1000);
      else if (pause) setTimeout(next, pause);
      else next();
    };
    for (let i = 0; i < window; i++) next();
  });
}

const rank = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

async function main() {
  for (let number = 0; number < options.clients; number++) await connect(number);
  await phase(10, 1, options.pause);
  const first = broadcasts.length;
  await phase(options.single, 1, options.pause);
  const latencies = broadcasts.slice(first).flatMap((each) => each.latencies).sort((a, b) => a - b);
  process.stdout.write('{"event":"many"}\n');
  const seconds = await phase(options.many, options.window, 0);
  process.stdout.write('{"event":"end"}\n');
  await new Promise((resolve) => setTimeout(resolve, 1000)); // for what would arrive twice
  const wanted = broadcasts.length * options.clients;
  const missing = wanted - broadcasts.reduce((sum, each) => sum + each.count, 0);
  process.stdout.write(`${JSON.stringify({
    p50: rank(latencies, 0.5), p99: rank(latencies, 0.99), per_second: options.many / seconds,
    seconds, wanted, missing, twice })}\n`);
  process.exit(missing || twice ? 1 : 0);
}

main();
