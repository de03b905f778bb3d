// SPDX-License-Identifier: MIT
// sticky-cluster, by its README.
const { port, serverOf, workers } = require('./handler.js');

require('sticky-cluster')(
  (callback) => callback(serverOf(process.env.stickycluster_worker_index)),
  { concurrency: workers, port });
