// Zones, hosts, roles. A host opens a panel: daemons, logs, power.

import { get } from "./api.js";
import { h, on, paint, lasting, dot, ago, clock, plural } from "./dom.js";
import { fetched, may, outcome, refusal, start, ask, watched } from "./asking.js";
import { keyOf, next } from "./now.js";

const OPERATIONS = [["drain", "Drain"], ["undrain", "Undrain"], ["reboot", "Reboot"], ["replace", "Replace"], ["scale-remove", "Take out"], ["fence", "Fence"]];

let find = "";
let log = null;

export function map(state) {
  const { status } = state;
  if (!status) return [h("p.soft.pad", null, "Asking the hosts.")];
  const wanted = find.toLowerCase();
  const shown = status.hosts.filter((host) => !wanted || [host.name, host.zone, host.state, ...host.roles, ...host.marks].some((x) => x.toLowerCase().includes(wanted)));
  const zones = new Map();
  for (const host of shown) {
    const key = `${host.region} ${host.zone}`;
    if (!zones.has(key)) zones.set(key, []);
    zones.get(key).push(host);
  }
  return [
    h("div.tools", null, h("label", null, h("span.hidden", null, "Find a host"),
      h("input", { id: "find", type: "search", placeholder: "host, zone, role, down …  ( / )", "data-do": "find", "data-when": "input" })),
      h("span.soft", null, `${plural(shown.length, "host")} of ${status.hosts.length.toLocaleString("en")}`),
      h("span.legend", null, dot("ok"), "well", dot("warning"), "warning", dot("down"), "problem", dot("unknown"), "no answer")),
    h("div.zones.live", null, [...zones].map(([key, hosts]) => h(`section.zone${hosts.length > 24 ? ".many" : ""}`, { "data-key": key },
      h("h2", null, status.regions.length > 1 ? key : hosts[0].zone, h("span.soft", null, ` ${plural(hosts.length, "host")}`)),
      h("div.tiles", null, hosts.map((host) => tile(host, hosts.length <= 24)))))),
  ];
}

function tile({ name, state, marks, roles, text }, large) {
  return lasting(name, JSON.stringify([state, marks, roles, text, large]), () =>
    h("a.tile", { class: state, href: `#map/${name}`, title: `${name}: ${roles.join(", ")}${text ? `; ${text}` : ""}` },
      dot(state), h("b", null, name), marks.map((m) => h("span.mark", null, m)), large ? h("span.soft", null, text || roles.join(", ")) : null));
}

const runs = (active) => ["active", "reloading"].includes(active);
const chosen = () => (location.hash.startsWith("#map/") ? decodeURIComponent(location.hash.slice(5)) : "");
const element = document.getElementById("panel");

export function closePanel() {
  if (chosen()) history.replaceState(null, "", "#map");
  element.hidden = true;
  log = null;
}

export function panel(state) {
  const name = chosen();
  element.hidden = !name;
  if (!name || !state.status) return;
  const row = state.status.hosts.find((host) => host.name === name);
  const known = fetched(state, `host ${name}`, `/v1/hosts/${encodeURIComponent(name)}`, JSON.stringify([row?.state, row?.marks, row?.text, Math.floor((state.status.at || 0) / 5)]));
  const { value: host, error } = known;
  const said = host?.said;
  paint(element, [
    h("div.line", null, row ? dot(row.state) : null, h("h2", null, name), row?.marks.map((m) => h("span.mark", null, m)), h("span.grow"), h("a.button", { href: "#map", "data-do": "close-panel" }, "Close")),
    error ? refusal(error) : null,
    host?.unknown ? refusal(host.unknown) : wrong(state, name),
    host ? h("dl.pairs", null, ["address", host.address, "region", host.region, "zone", [host.zone.name, host.zone.power && `power ${host.zone.power}`, host.zone.switch && `switch ${host.zone.switch}`].filter(Boolean).join(", "), "roles", host.roles.join(", ")].map((x, i) => h(i % 2 ? "dd" : "dt", null, x)),
      said?.guard ? [h("dt", null, "votes for"), h("dd", null, said.guard.vote || "nobody"), h("dt", null, "guard's delay"), h("dd", null, `${(said.guard.delay * 1000).toFixed(0)} ms`)] : null,
      said?.clock ? [h("dt", null, "clock"), h("dd", null, `${said.clock[0] >= 0 ? "+" : ""}${said.clock[0].toFixed(2)} s`)] : null) : h("p.soft", null, "Asking."),
    said ? [h("h3", null, "Daemons"), h("ul.units", null, Object.entries(said.units).sort(([a, x], [b, y]) => runs(x) - runs(y) || a.localeCompare(b)).map(([unit, active]) =>
      h("li", { "data-key": unit }, dot(runs(active) ? "ok" : "down"), h("span", null, unit), h("span.soft", null, active === "active" ? "" : active),
        may(state, "operator") ? h("button.plain", { "data-do": "log", "data-arg": `${name} ${unit}` }, "log") : null)))] : null,
    may(state, "operator") ? h("p", null, h("a", { href: `#logs/host/${encodeURIComponent(name)}` }, "All its journals")) : null,
    log && log.host === name ? [h("h3", null, log.unit), log.error ? refusal(log.error) : h("pre.log", { tabindex: 0 }, log.lines ? log.lines.join("\n") || "nothing" : "Asking.")] : null,
    doing(state, name),
    may(state, "admin") ? [h("h3", null, "Operations"), h("div.buttons", null, OPERATIONS.map(([kind, title]) => h("a.button", { href: `#operations/new/${kind}/${encodeURIComponent(name)}` }, title)))] : null,
    may(state, "admin") && fetched(state, "cloud", "/v1/cloud").value?.lab ? [h("h3", null, "Lab"), h("div.buttons", null, ["on", "off", "reset"].map((action) => h(`button${action === "on" ? "" : ".danger"}`, { "data-do": "power", "data-arg": `${name} ${action}` }, action)), h("a.button", { href: `#operations/new/wipe/${encodeURIComponent(name)}` }, "Another machine"))] : null,
    said ? h("details", null, h("summary", null, "All that its agent says"), h("pre.log", null, JSON.stringify(host.said, null, 1))) : null,
  ]);
}

// By its own word, and by what others say of it.
function wrong({ status }, name) {
  const found = [...status.problems.map((p) => [p, "down"]), ...status.warnings.map((p) => [p, "warning"])].filter(([p]) => p.hosts.includes(name));
  return found.length ? h("div.findings", null, h("ul", null, found.map(([p, state]) => h("li", { "data-key": keyOf(p) }, dot(state),
    h("div", null, p.where === name ? null : h("b", null, `${p.where || p.region}: `), p.what, next(p)))))) : null;
}

// What is done to this host and was: the newest jobs that name it, whatever runs and has come to it, and the last lines of that.
function doing(state, name) {
  const named = ({ arguments: a }) => [a.host, a.target, ...(a.hosts || [])].includes(name);
  const runs = state.jobs.find((job) => job.state === "running");
  const events = runs ? watched(state, runs.id).events.filter((e) => e.host === name || (named(runs) && !e.host)) : [];
  const mine = state.jobs.filter((job) => named(job) || (job === runs && events.length)).slice(0, 5);
  if (!mine.length) return null;
  const lines = events.map((e) => [e.at, told(e)]).filter(([, text]) => text).slice(-12);
  return [h("h3", null, "Done to it"),
    h("ul.units", null, mine.map((job) => h("li", { "data-key": job.id }, h("a", { href: `#operations/${job.id}` }, job.kind), outcome(job), h("span.soft", null, job.arguments.dry_run ? "plan only, " : "", `${job.by}, ${clock(job.began)}${job.ended ? `, took ${ago(job.ended - job.began)}` : ""}`)))),
    lines.length ? h("pre.log", { tabindex: 0, "aria-live": "polite" }, lines.map(([at, text]) => `${clock(at)}  ${text}`).join("\n")) : null];
}

const told = (e) => ({ change: () => `${e.number}/${e.of} ${e.key}`, changed: () => "changed, being checked", waits: () => `waits for ${e.check}`, stage: () => `stage ${e.stage}` })[e.type]?.() ?? (e.text || e.what || "");

on("find", (_, input) => { find = input.value; });
on("close-panel", () => { closePanel(); location.hash = "map"; });
on("log", async (arg) => {
  const [host, unit] = arg.split(" ");
  log = { host, unit };
  try {
    log = await get(`/v1/hosts/${encodeURIComponent(host)}/log?unit=${encodeURIComponent(unit)}`);
  } catch (error) {
    log = { host, unit, error: error.error };
  }
});
on("power", async (arg) => {
  const [host, action] = arg.split(" ");
  if (await ask({ title: `Power ${action}: ${host}?`, body: [h("p", null, action === "on" ? "" : "It loses power at once, as when its cord is pulled.")], confirm: `Power ${action}`, danger: action !== "on" })) await start("power", { host, action });
});
