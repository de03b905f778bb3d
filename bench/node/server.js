// SPDX-License-Identifier: MIT
// An unchanged application, under stickyctl and under Node's own cluster.
const cluster = require('node:cluster');
const { serverOf, where } = require('./handler.js');

serverOf(process.env.STICKY_SLOT ?? cluster.worker.id - 1).listen(where);
