// SPDX-License-Identifier: MIT
/*
 * Many socket.io clients, each with an address of its own.
 *
 *   node clients.js '{"url": ..., "clients": 500, "transports": ["polling"], "rounds": 50}'
 *
 * Each makes its round trips; a line of JSON tells when all have made them, or have failed for
 * good ("once": no reconnecting). Then they stay, with a round trip each `idle` ms. SIGUSR2 asks
 * for such a line, SIGHUP makes the first client tell everybody something, SIGTERM ends it.
 */
const { Agent } = require('node:http');
const { io } = require('socket.io-client');

const options = { network: '127.10', rounds: 0, once: false, idle: 1000,
                  transports: ['polling', 'websocket'], ...JSON.parse(process.argv[2]) };
const clients = [];
let finished = 0;

function report() {
  const told = clients.map(({ address, worker, transport, connects, rounds, done, told, errors }) =>
    ({ address, worker, transport, connects, rounds, done, told, errors }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

class KeepingAgent extends Agent {
  // xmlhttprequest-ssl would begin a request anew whose kept connection broke, and never send it.
  reuseSocket(socket, request) {
    super.reuseSocket(socket, request);
    request.reusedSocket = false;
  }
}

function start(number) {
  const address = `${options.network}.${Math.floor(number / 250)}.${number % 250 + 1}`;
  const client = { address, connects: 0, rounds: 0, told: 0, done: false, errors: [] };
  // Every other one keeps its connections, as browsers do; the rest take a new one each time.
  const agent = number % 2 ? new Agent({ localAddress: address })
    : new KeepingAgent({ localAddress: address, keepAlive: true });
  const socket = io(options.url, { agent, transports: options.transports, forceNew: true,
                                   reconnection: !options.once, reconnectionDelay: 100,
                                   reconnectionDelayMax: 1000 });
  const finish = () => {
    if (client.done) return;
    client.done = true;
    if (++finished === options.clients) report();
  };
  const fail = (why, details) => {
    const answer = details?.context?.responseText;
    const message = details?.description?.message ?? details?.message ?? details?.description;
    client.errors.push([why, answer, message].filter(Boolean).join(': ').slice(0, 200));
    if (options.once) finish();
  };
  const trip = () => socket.timeout(20000).emit('echo', client.rounds, (error, value) => {
    if (error || value !== client.rounds) {
      // One whose connection is gone is an error of that connection, and goes on with the next.
      if (socket.connected) fail('echo', error ?? { message: `got ${value}` });
      return;
    }
    client.rounds++;
    if (client.rounds === options.rounds) finish();
    if (client.rounds < options.rounds) trip();
    else client.timer = setTimeout(trip, options.idle);
  });
  socket.on('connect', () => {
    client.connects++;
    client.transport = socket.io.engine.transport.name;
    socket.io.engine.once('upgrade', (transport) => { client.transport = transport.name; });
    socket.io.engine.once('upgradeError', (error) => fail('upgrade', error));
    clearTimeout(client.timer);
    if (options.rounds) trip();
    else finish();
  });
  socket.on('hello', (pid) => { client.worker = pid; });
  socket.on('told', () => { client.told++; });
  socket.on('connect_error', (error) => fail('connect', error));
  socket.on('disconnect', fail);
  client.socket = socket;
  clients.push(client);
}

process.on('SIGUSR2', report);
process.on('SIGHUP', () => clients[0].socket.emit('tell', 'all'));
process.on('SIGTERM', () => process.exit(0));
for (let number = 0; number < options.clients; number++) start(number);
