'use strict';
// Written by stickyctl (--proxy-keepalive=close). Steering is per connection, and a proxy could
// put the requests of several clients on one connection. So each request of a passed connection is
// answered with `Connection: close`. An upgrade is no 'request' event, and stays open.
const passed = new WeakSet();

// A process that the application starts must not look for this file, which goes with the instance.
if (process.env.NODE_OPTIONS) {
  const options = process.env.NODE_OPTIONS.replace(
    / ?--require="[^"]*\/stickyctl-keepalive\.js"/, '');
  if (options) process.env.NODE_OPTIONS = options;
  else delete process.env.NODE_OPTIONS;
}

// A connection that the primary passed is known by the message that it came with.
process.prependListener('internalMessage', (message, handle) => {
  if (handle && message && message.act === 'newconn') passed.add(handle);
});

for (const name of ['http', 'https']) {
  const { Server } = require(name);
  const { emit } = Server.prototype;
  Server.prototype.emit = function (event, request, response) {
    if (event === 'request' && passed.has(handleOf(request))) response.shouldKeepAlive = false;
    return emit.apply(this, arguments);
  };
}

function handleOf(request) {
  let socket = request && request.socket;
  // The handle of a TLS connection is that of the connection beneath it.
  if (socket && socket._parent) socket = socket._parent;
  return socket && socket._handle || {};
}
