// SPDX-License-Identifier: MIT
// The strip: all buckets, from the first to the last one, each in the colour of its slot.
"use strict";

const LABEL_PX = 18; // an interval of this width shows the number of its slot
const STRIPES_PX = 6; // width of the stripes of slots without a ready worker

// Returns the hue of a slot. Those of neighbours differ by about the golden angle.
function hueOf(slot) {
  return (slot * 137 + 210) % 360;
}

class Strip {
  constructor(canvas, text) {
    this.canvas = canvas;
    this.text = text; // the element for a text about the place below the pointer
    this.map = null; // buckets.json
    this.status = null;
    this.marked = null; // the answer to a look-up
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("pointermove", (event) => this.tell(event));
    canvas.addEventListener("pointerdown", (event) => this.tell(event));
    canvas.addEventListener("pointerleave", () => this.sumUp());
  }

  show(status) {
    // Fetch the table again if it has changed: with the number of slots, or with the slots that
    // have no share.
    const shares = [status.started_at, ...status.workers.map((worker) => worker.buckets)].join();
    const states = status.workers.map((worker) => worker.state).join();
    this.status = status;
    if (shares !== this.shares) this.fetch(shares);
    if (states === this.states) return;
    this.states = states;
    this.draw();
  }

  async fetch(shares) {
    this.shares = shares;
    try {
      const map = await (await fetch("buckets.json")).json();
      if (this.shares !== shares) return; // a later request is on the way
      this.map = map;
      this.sumUp();
      this.draw();
    } catch {
      this.shares = null; // the next status tries again
    }
  }

  mark(answer) {
    if (this.marked === answer) return;
    this.marked = answer;
    this.draw();
  }

  stateOf(slot) {
    return this.status.workers[slot]?.state ?? "gone";
  }

  // ---- Drawing ----

  draw() {
    if (!this.map || !this.status) return;
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = { text: colour("--text"), card: colour("--card"),
      tone: `${colour("--saturation")} ${colour("--lightness")}` };
    pen.font = `600 13px ${style.fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    this.eachInterval((first, end, slot) =>
      this.drawInterval(pen, (first / this.map.buckets) * width, (end / this.map.buckets) * width,
        height, slot));
    this.drawMark(pen, width, height);
    this.canvas.setAttribute("aria-label", this.label());
  }

  eachInterval(each) {
    const { intervals, buckets } = this.map;
    intervals.forEach(([first, slot], index) =>
      each(first, intervals[index + 1]?.[0] ?? buckets, slot));
  }

  drawInterval(pen, left, right, height, slot) {
    pen.fillStyle = `hsl(${hueOf(slot)} ${this.colours.tone})`;
    pen.fillRect(left, 0, right - left, height);
    if (this.stateOf(slot) !== "ready") this.drawStripes(pen, left, right, height);
    if (right - left < LABEL_PX) return;
    pen.lineWidth = 3;
    pen.strokeStyle = "#000a";
    pen.strokeText(slot, (left + right) / 2, height / 2);
    pen.fillStyle = "#fff";
    pen.fillText(slot, (left + right) / 2, height / 2);
  }

  drawStripes(pen, left, right, height) {
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, height);
    pen.clip();
    pen.strokeStyle = this.colours.card;
    pen.lineWidth = STRIPES_PX / 2;
    pen.beginPath();
    for (let x = left - height; x < right; x += 2 * STRIPES_PX) {
      pen.moveTo(x, height);
      pen.lineTo(x + height, 0);
    }
    pen.stroke();
    pen.restore();
  }

  // Mark the bucket of the client that was looked up.
  drawMark(pen, width, height) {
    if (!this.marked) return;
    const x = ((this.marked.bucket + 0.5) / this.map.buckets) * width;
    pen.fillStyle = this.colours.card;
    pen.fillRect(x - 3, 0, 6, height);
    pen.fillStyle = this.colours.text;
    pen.fillRect(x - 1.5, 0, 3, height);
  }

  // ---- Words ----

  shareOf(slot) {
    const worker = this.status.workers[slot];
    const share = (((worker?.buckets ?? 0) / this.map.buckets) * 100).toFixed(2);
    return `slot ${slot}: ${share} % of the buckets, ${this.stateOf(slot)}`;
  }

  label() {
    const { slots, intervals } = this.map;
    const shares = this.status.workers.map(({ slot }) => this.shareOf(slot)).join("; ");
    return slots <= 32 ? shares : `${slots} slots in ${intervals.length} intervals`;
  }

  sumUp() {
    if (!this.map) return;
    const { buckets, slots, intervals } = this.map;
    this.text.textContent = `${buckets.toLocaleString("en-US")} buckets, ` +
      `${slots} slot${slots === 1 ? "" : "s"}, ${intervals.length.toLocaleString("en-US")} ` +
      `interval${intervals.length === 1 ? "" : "s"}`;
  }

  tell(event) {
    if (!this.map || !this.status) return;
    const box = this.canvas.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.map.buckets;
    this.eachInterval((first, end, slot) => {
      if (at < first || at >= end) return;
      this.text.textContent = `buckets ${first} to ${end - 1}: ${this.shareOf(slot)}`;
    });
  }
}

const strip = new Strip(document.getElementById("strip"), document.getElementById("bucket"));
