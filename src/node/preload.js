'use strict';
// Written by stickyctl: additions to Node.js's cluster module in a worker's process. The script
// acts on messages of the controller only. Until one arrives, nothing of Node.js is changed.
//
// - A passed connection (--behind-proxy, --steering=user): where a proxy could put several clients'
//   requests on one connection (--proxy-keepalive=close), each request is answered with
//   `Connection: close`. With the PROXY protocol the socket's remote address is the client's.
// - The worker is to finish: the next request on each kept connection is answered with
//   `Connection: close`, and idle connections are closed only after a while. A client that sends
//   its next request while the server closes the connection would get a reset.

const closing = new WeakSet(); // handles of connections whose requests are answered with `close`
let isLeaving = false;
let channel = null; // the diagnostics channel of requests; null: requests are not watched

forgetOwnWords();
if (process.send)
  process.prependListener('internalMessage', onMessage);

function onMessage(message, handle) {
  if (!message) return;
  if (message.cmd === 'NODE_STICKY' && message.act === 'leave') leave(message.idleMs);
  if (handle && message.act === 'newconn' && message.sticky) describe(handle, message.sticky);
}

// Remove this script from NODE_OPTIONS: child processes have no use for it, and its file may be
// gone when they start.
function forgetOwnWords() {
  const { realpathSync } = require('fs');
  const own = realpathSync(__filename);
  const isOwn = path => {
    try {
      return realpathSync(path.replace(/\\(.)/g, '$1')) === own;
    } catch {
      return false; // another script, whose file does not exist
    }
  };
  const all = process.env.NODE_OPTIONS || '';
  const others = all.replace(/ ?--require="((?:[^"\\]|\\.)*)"/g,
                             (words, path) => isOwn(path) ? '' : words);
  if (others) process.env.NODE_OPTIONS = others;
  else delete process.env.NODE_OPTIONS;
}

function describe(handle, { close, client }) {
  if (close) {
    closing.add(handle);
    watchRequests();
  }
  if (client) {
    handle.getpeername = address => {
      Object.assign(address, client);
      return 0;
    };
  }
}

// Answer requests with `Connection: close` where it is wanted. An upgrade does not count as a
// request here: its connection stays open.
function watchRequests() {
  if (channel) return;
  channel = require('diagnostics_channel').channel('http.server.request.start');
  channel.subscribe(({ response, socket }) => {
    if (isLeaving || closing.has(handleOf(socket))) response.shouldKeepAlive = false;
  });
}

function handleOf(socket) {
  // The handle of a TLS connection is that of the connection beneath it.
  const below = socket && (socket._parent || socket);
  return below && below._handle || {};
}

// Begin to finish. Node.js calls closeIdleConnections() when the cluster's primary asks a worker to
// finish: that call is delayed.
function leave(idleMs) {
  const until = Date.now() + idleMs;

  if (isLeaving) return;
  isLeaving = true;
  watchRequests();
  for (const name of ['http', 'https']) {
    const { prototype } = require(name).Server;
    const { closeIdleConnections } = prototype;

    if (!closeIdleConnections) continue;
    prototype.closeIdleConnections = function () {
      const restMs = until - Date.now();

      if (restMs <= 0) closeIdleConnections.call(this);
      else setTimeout(() => closeIdleConnections.call(this), restMs).unref();
    };
  }
}
