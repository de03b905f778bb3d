// SPDX-License-Identifier: MIT
// The server that all Node.js ways use. It answers with the number of its worker.
const { createServer } = require('node:http');

exports.serverOf = (id) => createServer((request, response) => response.end(`slot=${id}\n`));
exports.workers = Number(process.env.WORKERS);
exports.port = Number(process.env.PORT);
// The backlog is that of the other ways; Node.js would use 511.
exports.where = { port: exports.port, host: '127.0.0.1', backlog: 4096 };
