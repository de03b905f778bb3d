// SPDX-License-Identifier: MIT
// sticky-listen with recluster, by the README of sticky-listen.
const cluster = require('node:cluster');
const sticky = require('sticky-listen');
const { serverOf, where, workers } = require('./handler.js');

if (cluster.isPrimary) {
  const group = require('recluster')(__filename, { workers, readyWhen: 'ready' });
  group.run();
  sticky.createBalancer({ behindProxy: false, activeWorkers: group.activeWorkers })
    .listen(where);
  process.on('SIGUSR2', () => group.reload());
} else {
  sticky.listen(serverOf(process.env.WORKER_ID));
  process.send({ cmd: 'ready' });
}
