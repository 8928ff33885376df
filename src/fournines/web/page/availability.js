// What clients noticed: the year's budget and how fast it is used, outages, and all that is known of one.

import { h, dot, ago, clock, figure, instant, moment, plural } from "./dom.js";
import { fetched, may, refusal } from "./asking.js";
import { table } from "./now.js";
import { expected, measured } from "./expected.js";

const tick = (seconds) => String(Math.floor(Date.now() / 1000 / seconds));

export function availability(state) {
  const [, id] = location.hash.slice(1).split("/");
  if (id) return incident(state, decodeURIComponent(id));
  const known = fetched(state, "watched", "/v1/availability", tick(5));
  const regions = Object.entries(known.value?.regions || {});
  const many = regions.length > 1;
  return [
    known.error ? refusal(known.error) : null,
    known.value && !regions.length ? h("section", null, h("p", null, "This cloud was never watched: what clients notice is not measured."), h("p.next", null, "→ ", h("code", null, "fournines watch CLOUD"), ", on a machine outside the cloud")) : null,
    regions.map(([name, region]) => [
      h(`section.sentence.${region.watched ? (region.out.length ? "down" : "ok") : "idle"}`, { "data-key": `${name} now`, "aria-live": "polite" },
        h("h1", null, many ? `${name}: ` : "", region.watched ? (region.out.length ? `Out now: ${region.out.map(words).join(", ")}` : "All that is watched is answered well") : "No watch runs: what is now is unknown"),
        h("p.soft", null, region.as_of === null ? "" : `The watch's last word is ${ago(Math.max(0, Date.now() / 1000 - region.as_of))} old.`, region.incident ? [" ", h("a", { href: `#availability/${region.incident}` }, "The incident that goes on")] : null)),
      h(`section${region.watched ? "" : ".old"}`, { "data-key": `${name} budget` }, h("h2", null, many ? `${name}: the year's budget` : "The year's budget"), budget(region.functions)),
    ]),
    incidents(state),
    h("section", null, h("h2", null, "Measured by fault injection"), measured(fetched(state, "runs", "/v1/runs"))),
    expected(state),
  ];
}

const words = (name) => name.replaceAll("_", " ");

// Minutes used of those that the target allows in a year; burn: how many times faster than allowed, by window.
function budget(functions) {
  const windows = Object.keys(functions[0]?.burn_rate || {});
  return h("div.scroll", null, h("table.budget", null,
    h("thead", null, h("tr", null, ["function", "used of the year's budget", "", "availability", ...windows.map((w) => `burn ${w}`), "watched"].map((c) => h("th", { scope: "col" }, c)))),
    h("tbody", null, functions.map((f) => {
      const used = f.minutes_a_year ? f.minutes_used / f.minutes_a_year : 0;
      const seen = f.good_s + f.bad_s;
      return h("tr", { "data-key": f.function }, h("th", { scope: "row" }, words(f.function)),
        h("td.meter", null, h("span.rail", { role: "img", "aria-label": `${(100 * used).toFixed(0)} % of the budget` }, h("i", { class: used > 1 ? "bad" : used > 0.5 ? "warn" : "ok", style: { width: `${Math.min(100, 100 * used)}%` } }))),
        h("td", null, `${f.minutes_used.toFixed(1)} of ${f.minutes_a_year.toFixed(1)} min`),
        h("td", { title: `target ${f.target_percent} %` }, f.availability_percent === null ? "unknown" : `${(Math.floor(f.availability_percent * 10000 + 1e-6) / 10000).toFixed(4)} %`),
        windows.map((w) => { const rate = f.burn_rate[w]; return h("td", { "data-label": `burn ${w}` }, rate === null ? h("span.soft", null, "unknown") : h(`span${rate > 1 ? ".bad" : ""}`, null, `${Number(rate.toPrecision(2)).toLocaleString("en")}×`)); }),
        h("td.soft", { "data-label": "watched" }, `${ago(seen)}${f.unknown_s ? `, ${Math.floor((100 * seen) / (seen + f.unknown_s))} % of the time` : ""}`));
    }))));
}

function incidents(state) {
  const known = fetched(state, "incidents", "/v1/incidents", tick(5));
  if (known.error) return refusal(known.error);
  if (!known.value) return null;
  const list = known.value.incidents;
  return h("section", null, h("h2", null, "Incidents"), list.length ? table(["began", "lasted", "functions", "bad", "what the agents said"], list.slice(0, 100).map((i) => [
    may(state, "operator") ? h("a", { href: `#availability/${i.id}` }, moment(i.began)) : moment(i.began),
    i.ended === null ? h("span.bad", null, "goes on") : h("span", null, ago(i.ended - i.began), i.interrupted ? h("span.soft", null, ", the watch was stopped") : null),
    i.functions.map(words).join(", "), `${Math.max(0, ...Object.values(i.bad_s))} s`, h("span.soft", null, i.sentence)])) : h("p", null, dot("ok"), " None."));
}

// One incident

const GRAVE = ["ERROR", "CRITICAL", "ALERT", "EMERG", "ERR", "CRIT", "WARNING"];
const MOST = 400;

function incident(state, id) {
  const known = fetched(state, "incident", `/v1/incidents/${encodeURIComponent(id)}`, state.known.incident?.value?.incident.ended === null ? tick(3) : "");
  const back = h("p.back", null, h("a", { href: "#availability" }, "← All incidents"));
  if (known.error) return [back, refusal(known.error)];
  if (!known.value || known.value.incident.id !== id) return [back, h("p.soft.pad", null, "Reading.")];
  const { incident: i, lines } = known.value;
  const ended = lines.filter((l) => l.what === "ended");
  const agents = lines.filter((l) => l.what === "agents");
  const telling = agents.find((a) => a.problems.length) || agents[0];
  const logs = lines.filter((l) => l.what === "logs");
  const missing = logs.flatMap((l) => Object.entries(l.failures || {})).filter(([name]) => !logs.some((l) => l.hosts?.[name]));
  return [
    back,
    h(`section.sentence.${i.ended === null ? "down" : "warning"}`, null, h("h1", null, `${moment(i.began)}: ${i.functions.map(words).join(", ") || "an outage"}`),
      h("p.soft", null, i.ended === null ? "It goes on." : `It lasted ${ago(i.ended - i.began)}${i.interrupted ? "; the watch was stopped meanwhile" : ""}.`, ` When it began, the agents said: ${i.sentence}`)),
    ended.length ? h("section", null, h("h2", null, "What clients felt"), table(["function", "bad", "longest gap", "worst wait", "failed", "unknown"], Object.entries(ended.at(-1).bad || {}).map(([f, bad]) => {
      const said = ended.at(-1).figures?.[f]?.[""];
      return [words(f), `${bad} s`, figure(said?.longest_gap_s), figure(said?.worst_wait_s), said?.fail ?? "–", said?.unknown ?? "–"];
    })), ended.at(-1).figures ? null : h("p.soft", null, "Longer than the operations that are kept, or cut short: no gaps and waits.")) : null,
    h("section", null, h("h2", null, "Time line"), h("ol.timeline", null, happened(lines).map(([at, who, text, state_]) => h("li", null, h("time", null, instant(at)), h(`b.${who}`, null, who), h("span", null, state_ ? dot(state_) : null, state_ ? " " : null, text))))),
    agents.length ? h("section", null, h("h2", null, "What the agents knew"), agents.map((a) => h("details", { open: a === telling }, h("summary", null, h("b", null, instant(a.at)), ` ${a.sentence}`), h("ul.cuts", null, a.problems.map((p) => h("li", null, dot("down"), h("div", null, p.where ? h("b", null, `${p.where}: `) : null, p.what))), a.problems.length ? null : h("li.soft", null, "No problem was known."))))) : null,
    h("section", null, h("h2", null, "Journals around it"), logs.length ? null : h("p.soft", null, "They were not collected."), missing.map(([name, why]) => h("p.soft", null, `${name}: ${why}`)), journals(logs)),
  ];
}

function happened(lines) {
  const found = [];
  let told = new Set();
  for (const l of lines) {
    if (l.what === "out") found.push([l.at, "client", `${words(l.function)} (${l.connection}) is out`, "down"]);
    if (l.what === "well") found.push([l.at, "client", `${words(l.function)} (${l.connection}) is answered well again, after ${l.lasted_s} s`, "ok"]);
    if (l.what === "action") found.push([l.at, "handler", `${l.handler}: ${l.text}`, ""]);
    if (l.what === "ended") found.push([l.at, "client", l.interrupted ? "the watch was stopped" : "all is answered well", l.interrupted ? "unknown" : "ok"]);
    if (l.what !== "agents") continue;
    const now = new Set(l.problems.map((p) => (p.where ? `${p.where}: ${p.what}` : p.what)));
    found.push([l.at, "agents", l.sentence, ""]);
    for (const p of now) if (!told.has(p)) found.push([l.at, "agents", p, "down"]);
    for (const p of told) if (!now.has(p)) found.push([l.at, "agents", `no longer: ${p}`, "ok"]);
    told = now;
  }
  return found.sort((a, b) => a[0] - b[0]);
}

function journals(logs) {
  const entries = logs.flatMap((l) => l.entries || []).map((e) => (Array.isArray(e) ? { time: e[0], host: e[1], unit: e[2], level: e[3], message: e[4] } : e)).sort((a, b) => a.time - b.time);
  if (!entries.length) return null;
  const grave = entries.filter((e) => GRAVE.includes(String(e.level).toUpperCase()));
  return [
    grave.length ? lines(grave.slice(0, MOST)) : h("p.soft", null, "No errors and no warnings."),
    h("details", null, h("summary", null, `Every line, ${plural(entries.length, "line")}`), lines(entries.slice(0, 3000))),
  ];
}

export const lines = (entries) => h("pre.log.tall", { tabindex: 0 }, entries.map((e) => h("span", { class: GRAVE.includes(String(e.level).toUpperCase()) ? "grave" : "" }, `${instant(e.time)}  ${e.host}  ${e.unit}  ${e.level}  ${e.message}\n`)));
