// SPDX-License-Identifier: MIT
// Node's own primary, which chooses workers by round robin: no client is sticky.
const cluster = require('node:cluster');
const { workers } = require('./handler.js');

cluster.setupPrimary({ exec: `${__dirname}/server.js` });
for (let worker = 0; worker < workers; worker++) cluster.fork();
