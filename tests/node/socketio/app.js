// SPDX-License-Identifier: MIT
// A socket.io application as anybody writes one: it says who it is, echoes, and tells everybody.
const cluster = require('node:cluster');
const { createServer } = require('node:http');
const { createAdapter } = require('@socket.io/cluster-adapter');
const { Server } = require('socket.io');

// How many clients there are, by all workers' answers.
const server = createServer((request, response) => {
  io.fetchSockets().then((sockets) => response.end(`${sockets.length}`),
                         (error) => response.end(error.message));
});
const io = new Server(server);
if (cluster.isWorker) io.adapter(createAdapter());

io.on('connection', (socket) => {
  socket.emit('hello', process.pid);
  socket.on('echo', (value, answer) => answer(value));
  socket.on('tell', (text) => io.emit('told', text));
});
server.listen(3000);
