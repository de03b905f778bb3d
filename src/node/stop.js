'use strict';
// Written by stickyctl. Node.js itself catches SIGTERM and SIGINT, so that no other process can see
// whether the application handles them. When the worker is asked to finish, this script tells the
// controller, and then calls the application's handler as a signal would, or that of --stop-message.
const POLL_MS = 20;
const listeners = {
  disconnect: process.listenerCount('disconnect'), message: process.listenerCount('message'),
};

// A process that the application starts must not look for this file, which is removed with the
// instance.
if (process.env.NODE_OPTIONS) {
  const options = process.env.NODE_OPTIONS.replace(
    / ?--require="(?:[^"\\]|\\.)*\/stickyctl-stop\.js"/, '');
  if (options) process.env.NODE_OPTIONS = options;
  else delete process.env.NODE_OPTIONS;
}

// A worker thread loads this file too, and has no channel.
if (process.connected) {
  process.on('internalMessage', onMessage);
  say({ loaded: true });
}

function say(message) {
  process.send({ cmd: 'NODE_STICKYCTL', ...message }, () => {});
}

function onMessage(message) {
  if (!message || message.cmd !== 'NODE_STICKYCTL' || !Array.isArray(message.signals)) return;
  const told = message.message && handles('message');
  const signal = told ? 'message'
    : message.signals.find(name => process.listenerCount(name) > 0) || null;
  process.removeListener('internalMessage', onMessage);
  letServersCloseTwice();
  say({ signal, disconnect: handles('disconnect') });
  if (told) runWhenIdle(() => process.emit('message', message.message), message);
  else if (signal) runWhenIdle(() => emitSignal(signal), message);
}

function emitSignal(signal) {
  process.emit(signal, signal, require('os').constants.signals[signal]);
}

// Does the application handle the end of the channel, or messages? The cluster module's own listeners
// on `process` were there before the application.
function handles(event) {
  const { worker } = require('cluster');
  return process.listenerCount(event) > listeners[event] ||
    Boolean(worker && worker.listenerCount(event));
}

// The disconnect closes the servers, and a handler that runs later closes them again. Node.js fails
// the second close(), and many handlers (@godaddy/terminus, for one) then leave out the rest of their
// work. From now on the second close() is done when the server has closed, as the first one is.
function letServersCloseTwice() {
  const { prototype } = require('net').Server;
  const { close } = prototype;
  const closed = new WeakSet();

  prototype.close = function (callback) {
    if (this._handle || !closed.has(this) || typeof callback !== 'function') {
      if (this._handle) closed.add(this);
      return close.call(this, callback);
    }
    return close.call(this).once('close', () => callback());
  };
}

// Run the handler once: when the last server has closed, when `after` milliseconds have passed, or,
// with `idle`, when no request is being answered. With `idle` it does not run before `kept`
// milliseconds while HTTP clients keep connections.
function runWhenIdle(handler, { after, idle, kept }) {
  const keptUntil = Date.now() + kept;
  const deadline = setTimeout(run, after);
  const poll = setInterval(look, POLL_MS);
  let done = false;

  deadline.unref();
  poll.unref();
  process.once('disconnect', run);
  look();

  function look() {
    if (idle && !answersRequest() && (Date.now() >= keptUntil || !keepsConnection())) run();
  }

  function run() {
    if (done) return;
    done = true;
    clearTimeout(deadline);
    clearInterval(poll);
    handler();
  }
}

// Is a request being answered? Connections of TLS and HTTP/2 count, as requests inside them can't
// be seen. An upgraded connection (a WebSocket) and one of a plain TCP server answer no request.
function answersRequest() {
  return connections().some(connection => Boolean(connection._httpMessage ||
    connection.server.setSecureContext || connection.server.updateSettings));
}

// Is there a connection that may bring another request? Such a connection has a parser of HTTP.
function keepsConnection() {
  return connections().some(connection => Boolean(connection.parser));
}

function connections() {
  const handles = process._getActiveHandles ? process._getActiveHandles() : [];
  return handles.filter(handle => handle && handle.server && handle.remoteAddress !== undefined);
}
