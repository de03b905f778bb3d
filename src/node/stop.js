'use strict';
// Written by stickyctl. Node.js itself catches SIGTERM and SIGINT, so that no other process can see
// whether the application handles them. When the worker is asked to finish, this script tells the
// controller, and then calls the application's handler as a signal would.
const POLL_MS = 20;
const disconnectListeners = process.listenerCount('disconnect');

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
  const signal = message.signals.find(name => process.listenerCount(name) > 0) || null;
  process.removeListener('internalMessage', onMessage);
  say({ signal, disconnect: handlesDisconnect() });
  if (signal) signalWhenIdle(signal, message);
}

// Does the application handle the end of the channel? The cluster module's own listener on
// `process` was there before the application.
function handlesDisconnect() {
  const { worker } = require('cluster');
  return process.listenerCount('disconnect') > disconnectListeners ||
    Boolean(worker && worker.listenerCount('disconnect'));
}

// Run the handler once: when the last server has closed, when `after` milliseconds have passed, or,
// with `idle`, when no request is being answered. With `idle` it does not run before `kept`
// milliseconds while HTTP clients keep connections.
function signalWhenIdle(signal, { after, idle, kept }) {
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
    process.emit(signal, signal, require('os').constants.signals[signal]);
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
