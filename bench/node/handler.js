// SPDX-License-Identifier: MIT
// The same for all: a server that says which worker it is.
const { createServer } = require('node:http');

exports.serverOf = (id) => createServer((request, response) => response.end(`slot=${id}\n`));
exports.workers = Number(process.env.WORKERS);
exports.port = Number(process.env.PORT);
// As those of the others; Node.js would take 511.
exports.where = { port: exports.port, host: '127.0.0.1', backlog: 4096 };
