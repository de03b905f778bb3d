// SPDX-License-Identifier: MIT
// Shows the stream of events, and changes nothing of the instance. Everything from outside is set
// as text.
"use strict";

const HISTORY = 60; // points of a sparkline
const EVENTS_KEPT = 100;
const RETRY_MS = 3000; // used if the browser itself does not try again
const STALE_MS = 30000; // a stream that has sent nothing for this long has failed

// The same limits as of `stickyctl status`.
const FLAPS = 3; // a young worker with so many restarts dies again and again
const YOUNG_MS = 10000;
const SLOW_START_MS = 10000;

const COLUMNS = [
  { label: "PID", text: (worker) => worker.pid ?? "–" },
  { label: "Gen.", text: (worker) => worker.generation },
  { label: "Up", text: (worker) => (worker.pid ? duration(worker.uptime_ms) : "–") },
  { label: "Conn./s", text: (_, now) => rateText(now.rate), line: "rate" },
  { label: "Queue", text: (worker) => count(worker.queue), line: "queue" },
  { label: "Memory", text: (worker) => bytes(worker.rss_bytes), line: "memory" },
  { label: "Open", text: (worker) => count(worker.connections) },
  { label: "CPU", text: (_, now) => (now.cpu === null ? "–" : `${now.cpu.toFixed(0)} %`) },
];
const GOOD = ["ready", "running"];
const BAD = ["failed", "hung"];

const byId = (id) => document.getElementById(id);
const rows = new Map(); // slot -> its table row and its history
let last = null; // the status that was received last
let answered = null; // the answer to the last look-up

// ---- Texts ----

function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)}d${hours % 24}h`;
  if (hours) return `${hours}h${String(minutes % 60).padStart(2, "0")}m`;
  return minutes ? `${minutes}m${String(seconds % 60).padStart(2, "0")}s` : `${seconds}s`;
}

function bytes(number) {
  if (!number) return "–";
  const units = ["K", "M", "G", "T"];
  let value = number / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.floor(value)}${units[unit]}`;
}

function count(number) {
  return number.toLocaleString("en-US");
}

function rateText(rate) {
  if (rate === null) return "–";
  return rate > 0 && rate < 10 ? rate.toFixed(1) : count(Math.round(rate));
}

function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function setState(element, state) {
  setText(element, state);
  element.className = `state ${GOOD.includes(state) ? "good" : BAD.includes(state) ? "bad" : "warn"}`;
}

function add(parent, name, properties = {}) {
  return parent.appendChild(Object.assign(document.createElement(name), properties));
}

// ---- Rates ----

// Returns the number of connections to a slot; null if its engine can't count them.
function connectionsTo(worker, status) {
  if (!status.counts_placements && !status.passes_connections) return null;
  return (status.counts_placements ? worker.steered : 0) + worker.handed;
}

function perSecond(before, now, ms) {
  return before === null || now === null || now < before ? null : ((now - before) * 1000) / ms;
}

// Returns the time since the last status; 0 if that was of another controller, and can't be
// compared.
function elapsedMs(status) {
  if (!last || last.started_at !== status.started_at) return 0;
  return status.uptime_ms - last.uptime_ms;
}

function measure(worker, status, ms) {
  const row = rows.get(worker.slot);
  const total = connectionsTo(worker, status);
  const isSame = ms > 0 && row.pid === worker.pid;
  const now = {
    rate: ms > 0 ? perSecond(row.total, total, ms) : null,
    cpu: isSame && worker.pid ? perSecond(row.cpu_ms, worker.cpu_ms, ms) : null,
    queue: worker.queue,
    memory: worker.rss_bytes,
  };
  if (now.cpu !== null) now.cpu /= 10;
  Object.assign(row, { total, pid: worker.pid, cpu_ms: worker.cpu_ms });
  return now;
}

// ---- Workers ----

function newLine(cell) {
  const space = "http://www.w3.org/2000/svg";
  const svg = cell.appendChild(document.createElementNS(space, "svg"));
  svg.setAttribute("viewBox", `0 0 ${HISTORY - 1} 16`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  return svg.appendChild(document.createElementNS(space, "polyline"));
}

function newCell(tr, column, row) {
  const td = add(tr, "td", { className: "number" });
  td.setAttribute("role", "cell");
  td.dataset.label = column.label;
  row.texts.push(add(td, "span"));
  if (column.line) row.lines[column.line] = { line: newLine(td), points: [] };
}

function newRow(slot) {
  const tr = add(byId("workers"), "tr");
  const row = { tr, texts: [], lines: {}, total: null, pid: null, cpu_ms: 0 };
  tr.setAttribute("role", "row");
  tr.style.setProperty("--hue", hueOf(slot));
  const th = add(tr, "th", { scope: "row" });
  th.setAttribute("role", "rowheader");
  add(th, "span", { className: "swatch" });
  th.append(slot);
  const td = add(tr, "td", { className: "wide" });
  td.setAttribute("role", "cell");
  row.state = add(td, "span", { className: "state" });
  row.note = add(td, "span", { className: "note" });
  for (const column of COLUMNS) newCell(tr, column, row);
  return row;
}

function draw({ line, points }, value) {
  points.push(value ?? 0);
  if (points.length > HISTORY) points.shift();
  const most = Math.max(...points, 1);
  const begin = HISTORY - points.length;
  line.setAttribute("points", points.map((point, index) =>
    `${begin + index},${(15 - (point / most) * 14).toFixed(1)}`).join(" "));
}

function noteOf(worker) {
  const notes = [];
  if (worker.status) notes.push(worker.status);
  if (worker.draining) notes.push(`${worker.draining} draining`);
  if (worker.restarts && worker.last_exit) {
    const times = worker.restarts > 1 ? "times" : "time";
    notes.push(`restarted ${worker.restarts} ${times}; its last worker ${worker.last_exit.text}`);
  }
  return notes.join("; ");
}

function showWorker(worker, status, ms) {
  if (!rows.has(worker.slot)) rows.set(worker.slot, newRow(worker.slot));
  const row = rows.get(worker.slot);
  const now = measure(worker, status, ms);
  setState(row.state, worker.state);
  setText(row.note, noteOf(worker));
  COLUMNS.forEach((column, index) => setText(row.texts[index], column.text(worker, now)));
  for (const [name, line] of Object.entries(row.lines)) draw(line, now[name]);
  return now.rate;
}

function showWorkers(status) {
  const ms = elapsedMs(status);
  if (last && last.started_at === status.started_at && ms <= 0) return;
  const rates = status.workers.map((worker) => showWorker(worker, status, ms));
  for (const [slot, row] of rows) {
    if (slot < status.slots) continue;
    row.tr.remove();
    rows.delete(slot);
  }
  showTotals(status, rates.includes(null) ? null : rates.reduce((sum, rate) => sum + rate, 0));
}

// ---- The rest of the status ----

function showTotals(status, rate) {
  const { counters } = status;
  const open = status.workers.reduce((sum, worker) => sum + worker.connections, 0);
  const totals = {
    "Connections/s": rateText(rate),
    "Open": count(open),
    "Waiting now": count(status.held),
    "Answered 502": count(counters.answered_502),
    "Moved": count(counters.migrated),
    "Placed elsewhere": count(counters.empty_slot),
    "Refused": count(counters.dropped),
  };
  const list = byId("totals");
  for (const [name, value] of Object.entries(totals)) {
    let dd = list.querySelector(`[data-name="${name}"]`);
    if (!dd) {
      const div = add(list, "div");
      add(div, "dt", { textContent: name });
      dd = add(div, "dd");
      dd.dataset.name = name;
    }
    setText(dd, value);
  }
}

// Returns a command for the user to type, with the instance's name unless it is the default one.
function command(words, status) {
  return `'stickyctl ${words}${status.name === "default" ? "" : ` -n ${status.name}`}'`;
}

// Returns what may be done about a worker's end.
function detailOf(exit) {
  return exit?.hint ? `\n${exit.hint}` : "";
}

function problemOf(worker, status) {
  const { slot, last_exit: exit } = worker;
  const logs = command(`logs ${slot}`, status);
  const how = exit ? `, its last worker ${exit.text}` : "";
  const isYoung = worker.pid === null || worker.uptime_ms < YOUNG_MS;
  switch (worker.state) {
    case "failed":
      return `Slot ${slot} has failed${how}: ${command(`restart ${slot}`, status)}${detailOf(exit)}`;
    case "drained":
      return `Slot ${slot} is drained: ${command(`ready ${slot}`, status)} brings it back`;
    case "hung":
      return `Slot ${slot}: the worker has accepted nothing for ${duration(worker.hung_ms)}: ` +
        command("events", status);
  }
  if (isYoung && worker.restarts >= FLAPS)
    return `Slot ${slot} dies again and again${how}: ${logs}${detailOf(exit)}`;
  if (isYoung && worker.recycles >= FLAPS && worker.recycle_why === "--max-rss")
    return `Slot ${slot} is replaced again and again, as its workers exceed --max-rss: raise it, or ` +
      `see ${logs}`;
  if (worker.state === "waiting")
    return `Slot ${slot} has no worker${how}; the next one starts in ` +
      `${duration(worker.restart_in_ms)}: ${logs}${detailOf(exit)}`;
  if (worker.state === "starting" && worker.uptime_ms >= SLOW_START_MS)
    return `Slot ${slot} has been starting for ${duration(worker.uptime_ms)}, and is not ready` +
      `${worker.not_ready ? `, as ${worker.not_ready.why}` : ""}: ${logs}`;
  return null;
}

function showProblems(status) {
  const { reload, upgrade } = status;
  const found = status.workers.map((worker) => problemOf(worker, status)).filter(Boolean);
  if (reload.state === "failed")
    found.unshift(`The last reload stopped at ${reload.done} of ${reload.of}: ${reload.error}; ` +
      `${command("reload", status)} tries again`);
  if (upgrade.state === "failed") found.unshift(`The upgrade has failed: ${upgrade.error}`);
  if (found.length > 8) found.splice(8, found.length, `… and ${found.length - 8} more`);
  const list = byId("problems");
  if ([...list.children].map((item) => item.textContent).join("\n") === found.join("\n")) return;
  list.replaceChildren();
  for (const textContent of found) add(list, "li", { textContent });
}

function showReload({ reload }) {
  const waits = reload.waits_for_slot === null ? ""
    : `, waits until a worker of slot ${reload.waits_for_slot} has drained`;
  byId("reload").hidden = reload.state !== "running";
  byId("progress").max = Math.max(reload.of, 1);
  byId("progress").value = reload.done;
  setText(byId("reload-text"), `Reload: ${reload.done} of ${reload.of} slots have new workers${waits}`);
}

function showHead(status) {
  document.title = `${status.name} – stickyctl`;
  setText(byId("name"), status.name);
  setState(byId("state"), status.state);
  setText(byId("facts"), `pid ${status.pid}, up ${duration(status.uptime_ms)}, ` +
    `listening on ${status.listeners.map((address) => (
      status.closed_listeners.includes(address) ? `${address} (closed)` : address
    )).join(", ") || "nothing yet"}`);
  setText(byId("why"), `steering ${status.steering}: ${status.steering_reason}`);
  setText(byId("version"), `stickyctl ${status.version}`);
}

function showStatus(status) {
  showHead(status);
  showProblems(status);
  showReload(status);
  strip.show(status);
  showWorkers(status);
  showAnswer(answered);
  last = status;
}

// ---- Events ----

function showEvent(event) {
  const { seq, time, event: name, ...fields } = event;
  const list = byId("events");
  const item = document.createElement("li");
  add(item, "time", { dateTime: time, textContent: time.slice(11, 19) });
  add(item, "b", { textContent: name });
  item.append(Object.entries(fields).map(([key, value]) =>
    `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`).join(" "));
  list.prepend(item);
  while (list.childElementCount > EVENTS_KEPT) list.lastChild.remove();
}

// ---- Where an address goes ----

function showAnswer(answer) {
  answered = answer;
  strip.mark(answer);
  for (const [slot, row] of rows) row.tr.classList.toggle("is-answer", slot === answer?.slot);
}

async function lookUp(submit) {
  const output = byId("answer");
  submit.preventDefault();
  try {
    const address = byId("address").value.trim();
    const response = await fetch(`where?address=${encodeURIComponent(address)}`);
    const answer = await response.json();
    output.className = response.ok ? "" : "bad";
    setText(output, response.ok
      ? `${answer.address} goes to slot ${answer.slot} (${answer.pid ? `pid ${answer.pid}, ` : ""}` +
        `${answer.state}): key ${answer.key}, bucket ${answer.bucket}`
      : answer.error);
    showAnswer(response.ok ? answer : null);
  } catch {
    output.className = "bad";
    setText(output, "The controller does not answer.");
  }
}

// ---- The stream ----

function setLink(isLive) {
  document.body.classList.toggle("is-stale", !isLive);
  setText(byId("link"), isLive ? "live" : "not connected, trying again");
}

function follow() {
  const source = new EventSource("events");
  let watch = 0;
  let isNew = true; // the first events of a connection repeat earlier ones

  const again = () => {
    clearTimeout(watch);
    source.close();
    setLink(false);
    setTimeout(follow, RETRY_MS);
  };
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(again, STALE_MS);
  };
  source.addEventListener("open", () => {
    isNew = true;
    setLink(true);
    heard();
  });
  source.addEventListener("error", () => {
    setLink(false);
    if (source.readyState === EventSource.CLOSED) again();
  });
  source.addEventListener("status", (message) => {
    heard();
    showStatus(JSON.parse(message.data));
  });
  source.addEventListener("events", (message) => {
    if (isNew) byId("events").replaceChildren();
    isNew = false;
    JSON.parse(message.data).forEach(showEvent);
  });
}

byId("where").addEventListener("submit", lookUp);
follow();
