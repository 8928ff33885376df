// Elements from plain calls, and the smallest change that makes what is shown into what it should be.
// All text goes in as text: nothing that a host or a user says becomes markup.

export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name || "div");
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") made.className = `${made.className} ${value}`.trim();
    else if (key === "style") for (const [property, v] of Object.entries(value)) made.style.setProperty(property, v);
    else made.setAttribute(key, value === true ? "" : value);
  }
  add(made, children);
  return made;
}

function add(parent, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(parent, child);
    else if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

// An element that is made only when there is none of this key yet, or the stamp of that one is another: of 300 hosts'
// tiles those that changed. The stamp says all that `make` shows.
export function lasting(key, stamp, make) {
  const later = document.createElement("x-later");
  later.dataset.key = key;
  later.stamp = stamp;
  later.make = () => {
    const made = make();
    made.dataset.key = key;
    made.stamp = stamp;
    return made;
  };
  return later;
}

function realized(fresh) {
  if (fresh.make) return fresh.make();
  if (fresh.nodeType === Node.ELEMENT_NODE) for (const later of fresh.querySelectorAll("x-later")) later.replaceWith(later.make());
  return fresh;
}

// What of `parent` differs from `wanted` is changed; what has the focus, or was typed, stays.
export function paint(parent, wanted) {
  const fresh = h("div", null, wanted);
  syncChildren(parent, fresh);
}

function sync(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !(name === "open" && old.tagName === "DETAILS")) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (!old.hasAttribute("data-keep")) syncChildren(old, fresh);
}

function syncChildren(old, fresh) {
  const news = [...fresh.childNodes];
  const keyed = new Map();
  for (const child of old.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let at = old.firstChild;
  for (const next of news) {
    const key = next.dataset?.key;
    const same = key ? keyed.get(key) : ahead(at, next);
    keyed.delete(key);
    const still = Boolean(same && next.make && same.stamp === next.stamp);
    const want = next.make && !still ? next.make() : next;
    if (still || (same && alike(same, want))) {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      if (still) continue;
      sync(same, want);
      same.stamp = want.stamp;
    } else {
      old.insertBefore(realized(want), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// The next child without a key that `want` can be made of.
function ahead(at, want) {
  for (let child = at; child; child = child.nextSibling)
    if (!child.dataset?.key && alike(child, want) && (child === at || child.className === want.className)) return child;
  return null;
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

// What is pressed says by `data-do` what is to be done.
const actions = new Map();
export const on = (name, act) => actions.set(name, act);
for (const kind of ["click", "submit", "input", "change"])
  document.addEventListener(kind, (event) => {
    const target = event.target.closest?.(`[data-do]`);
    if (!target) return;
    const when = target.dataset.when || (target.tagName === "FORM" ? "submit" : "click");
    if (when !== kind) return;
    if (kind !== "input" && kind !== "change") event.preventDefault();
    actions.get(target.dataset.do)?.(target.dataset.arg, target, event);
  });

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
export const ago = (seconds) =>
  seconds < 10 ? `${seconds.toFixed(1)} s` : seconds < 120 ? `${Math.round(seconds)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
export const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
export const instant = (at) => `${clock(at)}.${Math.floor((at % 1) * 10)}`;
export const moment = (at) => new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
export const figure = (value, unit = "s") => (value === null || value === undefined ? "–" : `${value.toFixed(2)} ${unit}`);
export const dot = (state) => h(`i.dot.${state}`, { role: "img", "aria-label": { ok: "well", warning: "warning", down: "problem", unknown: "unknown" }[state] || state });
