// SPDX-License-Identifier: MIT
// app.js with @socket.io/redis-adapter in the place of the cluster adapter.
const { createServer } = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const Redis = require('ioredis');
const { Server } = require('socket.io');

const server = createServer((request, response) => {
  io.fetchSockets().then((sockets) => response.end(`${sockets.length}`),
                         (error) => response.end(error.message));
});
const publisher = new Redis();
const io = new Server(server, { adapter: createAdapter(publisher, publisher.duplicate()) });

io.on('connection', (socket) => {
  socket.emit('hello', process.pid);
  socket.on('echo', (value, answer) => answer(value));
  socket.on('tell', (text) => io.emit('told', text));
});
server.listen(3000);
