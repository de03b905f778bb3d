// SPDX-License-Identifier: MIT
// @socket.io/sticky, by its README. It reads each head, and sends a request that names no session
// to the next worker. Only this is measured here: no session is opened.
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
  // This is all that @socket.io/sticky needs of socket.io.
  setupWorker({ httpServer: serverOf(cluster.worker.id - 1), engine: new EventEmitter() });
}
