// What all hosts' journals say of a stretch of time, and one request's way through every service.

import { get } from "./api.js";
import { h, on, clock, moment, plural } from "./dom.js";
import { may, refusal } from "./asking.js";

const LEVELS = ["", "err", "warning", "notice", "info"];
const GRAVE = ["ERROR", "CRITICAL", "ALERT", "EMERG", "EMERGENCY", "WARNING"];
const REQUEST = /(req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/;
const MOST = 2000;
let asked = null; // {path, value, error}
let latest = null;

export function logs(state) {
  latest = state;
  const words = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (!may(state, "operator")) return [h("p.pad", null, "Journals take the role operator: they may hold what users did.")];
  if (words[1] === "trace" && words[2] && asked?.hash !== location.hash) ask(`/v1/traces/${encodeURIComponent(words[2])}?since=24h`);
  const host = words[1] === "host" ? words[2] : "";
  return [
    h("form.choose", { "data-do": "logs" }, h("datalist", { id: "log-hosts" }, (state.status?.hosts || []).map((x) => h("option", { value: x.name }))),
      h("div.fields", null,
        h("label", null, "From", h("input", { name: "since", value: "10m", size: 10, title: "10m or 2h ago, 03:12, 2026-11-28T03:12" })),
        h("label", null, "Until", h("input", { name: "until", value: "now", size: 10 })),
        h("label", { "data-key": `of ${host}` }, "Hosts", h("input", { name: "hosts", value: host || false, placeholder: "all", list: "log-hosts" })),
        h("label", null, "Units", h("input", { name: "unit", placeholder: "all; keystone, haproxy" })),
        h("label", null, "At least", h("select", { name: "priority" }, LEVELS.map((l) => h("option", { value: l }, l || "everything")))),
        h("label", null, "Matches", h("input", { name: "grep", placeholder: "a regular expression" })),
        h("label", null, "Lines a host", h("input", { name: "lines", type: "number", min: 1, max: 5000, value: 500 }))),
      h("div.buttons", null, h("button.main", { type: "submit" }, "Read"))),
    h("form.choose", { "data-do": "trace" }, h("div.fields", null, h("label.wider", null, "Follow a request", h("input", { name: "request", placeholder: "req-4f1c0b5e-3a0f-4a7e-8f5e-0a1d2c3b4e5f", required: true, spellcheck: "false" }))), h("div.buttons", null, h("button.main", { type: "submit" }, "Follow"))),
    asked ? answer(asked) : h("p.soft", null, "Read from all hosts at once, over SSH; nothing else of the cloud has to work. Moments are the server's local time."),
  ];
}

function answer({ value, error, path }) {
  if (error) return refusal(error);
  if (!value) return h("p.soft.pad", { role: "status" }, "Asking the hosts.");
  const { entries } = value;
  const shown = entries.slice(-MOST);
  const left = value.left_out + entries.length - shown.length;
  const traced = value.request ? new Map() : null;
  if (traced) for (const e of entries) traced.set(`${e.unit} on ${e.host}`, (traced.get(`${e.unit} on ${e.host}`) || 0) + 1);
  return h("section", { "data-key": path },
    h("h2", null, value.request ? `${value.request}: ` : "", `${plural(entries.length + value.left_out, "line")} of ${plural(Object.keys(value.hosts).length, "host")}, ${moment(value.since)} to ${clock(value.until)}`),
    value.remarks.map((r) => h("p.soft", null, r)), left ? h("p.soft", null, `${left.toLocaleString("en")} older lines are not shown: choose a shorter time, or what must match.`) : null,
    traced ? [value.requests.length > 1 ? h("p.soft", null, "with ", value.requests.filter((r) => r !== value.request).join(", ")) : null, h("ul.parts", null, [...traced].map(([who, n]) => h("li", null, `${who}: ${n}`)))] : null,
    shown.length ? h("pre.log.tall", { tabindex: 0 }, shown.map((e) => line(e, value.request ? `+${(e.time - entries[0].time).toFixed(3)}` : clock(e.time)))) : h("p", null, "No line."));
}

function line(e, when) {
  const [before, id, after] = e.message.split(REQUEST);
  return h("span", { class: GRAVE.includes(e.level) ? "grave" : "" }, `${when}  ${e.host}  ${e.unit}  ${e.level}  `, before, id ? h("a", { href: `#logs/trace/${id}` }, id) : null, after || "", e.message.split(REQUEST).slice(3).join(""), "\n");
}

async function ask(path) {
  const mine = (asked = { path, hash: location.hash });
  try {
    mine.value = await get(path);
  } catch (error) {
    mine.error = error.error;
  }
  if (asked === mine) latest.draw();
}

on("logs", (_, form) => {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) query.set(name, ["hosts", "unit"].includes(name) ? value.split(/[\s,]+/).filter(Boolean).join(",") : value.trim());
  ask(`/v1/logs?${query}`);
  latest.draw();
});
on("trace", (_, form) => {
  const id = new FormData(form).get("request").trim();
  const hash = `#logs/trace/${encodeURIComponent(id)}`;
  if (location.hash === hash) asked = null;
  location.hash = hash;
  latest.draw();
});
