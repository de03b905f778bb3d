'use strict';
// Written by stickyctl. Node.js itself catches SIGTERM and SIGINT, so that no other process can see
// whether the application handles them. This script answers that question when the worker is asked
// to finish, and then calls the application's handler as a signal would.
const POLL_MS = 20;
const disconnectListeners = process.listenerCount('disconnect');

// A process that the application starts must not look for this file, which goes with the instance.
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

// The cluster module itself has a listener on `process`, which was there before the application.
function handlesDisconnect() {
  const { worker } = require('cluster');
  return process.listenerCount('disconnect') > disconnectListeners ||
    Boolean(worker && worker.listenerCount('disconnect'));
}

// The handler runs once: when the last server has closed, or `after` milliseconds have passed, or,
// with `idle`, when no request is being answered. Connections that HTTP clients keep are not cut
// short by it before `kept` milliseconds.
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

// Is a request being answered? Inside TLS and HTTP/2 that can't be seen: their connections count. An
// upgraded connection (a WebSocket) and one of a plain TCP server answer no request.
function answersRequest() {
  return connections().some(connection => Boolean(connection._httpMessage ||
    connection.server.setSecureContext || connection.server.updateSettings));
}

// Only a connection that may bring another request has a parser of HTTP.
function keepsConnection() {
  return connections().some(connection => Boolean(connection.parser));
}

function connections() {
  const handles = process._getActiveHandles ? process._getActiveHandles() : [];
  return handles.filter(handle => handle && handle.server && handle.remoteAddress !== undefined);
}
