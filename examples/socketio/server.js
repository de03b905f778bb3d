// SPDX-License-Identifier: MIT
// A chat. Nothing here knows of stickyctl but the name of its worker: `node server.js` works too.
const cluster = require('node:cluster');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { createAdapter } = require('@socket.io/cluster-adapter');
const { Server } = require('socket.io');

const worker = process.env.STICKY_SLOT ?? '?';
const page = readFileSync(`${__dirname}/public/index.html`);
const server = createServer((request, response) => {
  response.writeHead(request.url === '/' ? 200 : 404, { 'Content-Type': 'text/html' });
  response.end(request.url === '/' ? page : 'Not here.');
});
const io = new Server(server);
if (cluster.isWorker) io.adapter(createAdapter()); // io.emit reaches the clients of all workers

io.on('connection', (socket) => {
  socket.emit('worker', worker, process.pid);
  socket.on('say', (name, text) => {
    io.emit('said', `${name}`.slice(0, 20), `${text}`.slice(0, 500), worker);
  });
});
server.listen(3000);
