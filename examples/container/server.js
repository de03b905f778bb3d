// SPDX-License-Identifier: MIT
// Nothing here knows of stickyctl but the answer's text: `node server.js` works too.
const { createServer } = require('node:http');

createServer((request, response) => {
  response.end(`worker ${process.env.STICKY_SLOT ?? '?'}, process ${process.pid}\n`);
}).listen(3000);
