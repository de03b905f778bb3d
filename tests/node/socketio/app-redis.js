// SPDX-License-Identifier: MIT
// app.js with Redis in the place of the cluster adapter, which also reaches other hosts:
// @socket.io/redis-adapter, or with ADAPTER=streams @socket.io/redis-streams-adapter.
const { createServer } = require('node:http');
const Redis = require('ioredis');
const { Server } = require('socket.io');

const server = createServer((request, response) => {
  io.fetchSockets().then((sockets) => response.end(`${sockets.length}`),
                         (error) => response.end(error.message));
});
const redis = new Redis(process.env.REDIS_URL);
const adapter = process.env.ADAPTER === 'streams'
  ? require('@socket.io/redis-streams-adapter').createAdapter(redis)
  : require('@socket.io/redis-adapter').createAdapter(redis, redis.duplicate());
const io = new Server(server, { adapter });

io.on('connection', (socket) => {
  socket.emit('hello', process.pid);
  socket.on('echo', (value, answer) => answer(value));
  socket.on('tell', (text) => io.emit('told', text));
});
server.listen(3000);
