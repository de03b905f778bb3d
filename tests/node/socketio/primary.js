// SPDX-License-Identifier: MIT
// Node's own cluster primary, for comparison: it gives each connection to the next worker.
const cluster = require('node:cluster');
const { setupPrimary } = require('@socket.io/cluster-adapter');

cluster.setupPrimary({ exec: `${__dirname}/app.js` });
setupPrimary();
for (let worker = 0; worker < Number(process.argv[2]); worker++) cluster.fork();
