// Reads a lane's columns aloud: under the pointer, or with the arrow keys when the lane has the focus.
"use strict";

const tip = document.getElementById("tip");
const cursor = document.createElement("i");
cursor.className = "cursor";

function columnsOf(plot) {
  return plot.dataset.columns.split(";").map((text) => {
    if (text === "") return null;
    const parts = text.split(",").map(Number);
    const [ok, fail, unknown, ms] = parts.length === 1 ? [1, 0, 0, parts[0]] : parts;
    return { ok, fail, unknown, ms };
  });
}

function time(value) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2) + " s";
}

function latency(ms) {
  return ms >= 1000 ? (ms / 1000).toFixed(2) + " s" : ms + " ms";
}

function describe(column) {
  if (!column) return "nothing was due";
  const said = [];
  if (column.ok) said.push(column.ok + " ok");
  if (column.fail) said.push(column.fail + " failed");
  if (column.unknown) said.push(column.unknown + " unknown");
  return said.join(", ") + " · up to " + latency(column.ms);
}

function show(plot, index) {
  const columns = columnsOf(plot);
  index = Math.max(0, Math.min(columns.length - 1, index));
  plot.dataset.at = index;
  const { start, step, from, to } = plot.dataset;
  const begin = Number(start) + index * Number(step);
  const middle = (begin + Number(step) / 2 - from) / (to - from);
  cursor.style.left = 100 * Math.max(0, Math.min(1, middle)) + "%";
  plot.append(cursor);
  tip.replaceChildren(document.createElement("b"), document.createTextNode(describe(columns[index])));
  tip.firstChild.textContent = plot.dataset.name + " " + time(begin);
  tip.hidden = false;
  const box = plot.getBoundingClientRect();
  const left = box.left + box.width * middle - tip.offsetWidth / 2;
  tip.style.left = Math.max(8, Math.min(document.documentElement.clientWidth - tip.offsetWidth - 8, left)) + "px";
  tip.style.top = (box.top > tip.offsetHeight + 12 ? box.top - tip.offsetHeight - 8 : box.bottom + 8) + "px";
}

function hide() {
  tip.hidden = true;
  cursor.remove();
}

function indexAt(plot, x) {
  const box = plot.getBoundingClientRect();
  const { start, step, from, to } = plot.dataset;
  const at = Number(from) + ((x - box.left) / box.width) * (to - from);
  return Math.floor((at - start) / step);
}

for (const plot of document.querySelectorAll(".plot[data-columns]")) {
  plot.addEventListener("pointermove", (event) => show(plot, indexAt(plot, event.clientX)));
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (event.key === "Escape") return hide();
    if (!(event.key in moves)) return;
    event.preventDefault();
    const { start, step, at } = plot.dataset;
    const origin = Math.round((0 - start) / step); // the injection
    show(plot, at === undefined ? origin : Number(at) + moves[event.key]);
  });
}

addEventListener("scroll", hide, { passive: true });
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
