// SPDX-License-Identifier: MIT
// @socket.io/sticky, by its README. It reads each head; what names no session goes to the next
// worker: that is what is measured here, no session is opened.
const cluster = require('node:cluster');
const { EventEmitter } = require('node:events');
const { createServer } = require('node:http');
const { setupMaster, setupWorker } = require('@socket.io/sticky');
const { serverOf, where, workers } = require('./handler.js');

if (cluster.isPrimary) {
  const server = createServer();
  setupMaster(server, { loadBalancingMethod: 'round-robin' });
  server.listen(where);
  cluster.setupPrimary({ serialization: 'advanced' });
  for (let worker = 0; worker < workers; worker++) cluster.fork();
} else {
  // All that it asks of socket.io.
  setupWorker({ httpServer: serverOf(cluster.worker.id - 1), engine: new EventEmitter() });
}
