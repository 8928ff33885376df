// What the design would do if: components fail, there were more hypervisors; and the exact condition of a function.

import { h, on, dot } from "./dom.js";
import { fetched, refusal } from "./asking.js";
import { table } from "./now.js";

const failed = new Set();
let size = { hosts: "", cores: 32, memory: 128 };
let latest = null;
let why = "";

const NAMES = { region: "regions", power: "power feeds", switch: "switches", zone: "zones", network: "networks", host: "hosts" };

export function whatIf(state) {
  latest = state;
  const known = fetched(state, "whatif", `/v1/design/what-if?failed=${encodeURIComponent([...failed].sort().join(","))}`);
  const made = known.value;
  const kinds = [...new Set(made?.components.map((c) => c.kind) || [])];
  const stopped = made?.functions.filter((f) => !f.works) || [];
  return h("section", null, h("div.line", null, h("h2", null, "What if these fail?"), h("span.grow"), failed.size ? h("button", { "data-do": "whatif-none" }, "None of them") : null),
    known.error ? refusal(known.error) : null,
    made ? kinds.map((kind) => h("div.chips", { "data-key": kind }, h("b", null, NAMES[kind] || kind), made.components.filter((c) => c.kind === kind).slice(0, 120).map((c) =>
      h("button.toggle", { type: "button", "data-do": "whatif", "data-arg": c.key, "aria-pressed": String(failed.has(c.key)), title: c.key }, c.name)))) : h("p.soft", null, "Computing."),
    made ? h("p", { "aria-live": "polite" }, dot(stopped.length ? "down" : "ok"), failed.size ? (stopped.length ? ` ${stopped.length} of ${made.functions.length} functions stop.` : ` All ${made.functions.length} functions go on.`) : ` Nothing has failed: all functions work.`) : null,
    made ? table(["function", "works", "because"], made.functions.map((f) => [
      h("button.plain", { "data-do": "why", "data-arg": f.function, title: "The exact condition" }, f.function.replaceAll("_", " ") + (latest.status?.regions.length > 1 ? ` in ${f.region}` : "")), h("span", null, dot(f.works ? (f.spare === 0 ? "warning" : "ok") : "down"), f.works ? " yes" : " no"),
      f.works ? (f.spare === 0 ? `one more ${f.tight} stops it` : h("span.soft", null, f.spare === null ? "" : `${f.tight} can lose ${f.spare} more`)) : f.stopped_by.map((name) => { const r = f.requirements.find((x) => x.name === name); return r ? `${name}: ${r.left} of ${r.total} left, it takes ${r.least}` : name; }).join("; ")])) : null,
    why ? condition(state) : null);
}

function condition(state) {
  const known = fetched(state, "why", `/v1/design/why/${encodeURIComponent(why)}`);
  return h("div", { "data-key": `why ${why}` }, h("h3", null, `When ${why.replaceAll("_", " ")} works`), known.error ? refusal(known.error) : known.value?.function === why ? h("pre.log", { tabindex: 0 }, known.value.trees.join("\n\n")) : h("p.soft", null, "Deriving."));
}

export function capacity(state) {
  const query = new URLSearchParams(Object.entries(size).filter(([, v]) => v !== "" && v !== null));
  const known = fetched(state, "capacity", `/v1/design/capacity?${query}`);
  const regions = known.value?.regions || [];
  return h("section", null, h("h2", null, "Limits: what if there were more hypervisors?"),
    h("form", { "data-do": "capacity" }, h("div.fields", null,
      h("label", null, "Hypervisors a region", h("input", { name: "hosts", type: "number", min: 1, max: 100000, placeholder: "as in the file" })),
      h("label", null, "Cores of a controller", h("input", { name: "cores", type: "number", min: 1, max: 4096, value: 32 })),
      h("label", null, "Memory, GiB", h("input", { name: "memory", type: "number", min: 1, max: 65536, value: 128 }))),
      h("div.buttons", null, h("button.main", { type: "submit" }, "Compute"))),
    known.error ? refusal(known.error) : known.value ? null : h("p.soft", null, "Computing."),
    regions.map((r) => h("div", { "data-key": r.region }, regions.length > 1 ? h("h3", null, r.region) : null, table(["limit", "with those", "most", "met at", "formula"], r.limits.map((l) => [
      l.name, h(`span${l.met ? ".bad" : ""}`, null, Math.round(l.then).toLocaleString("en")), Math.round(l.most).toLocaleString("en"), l.reached === null ? "–" : `${l.reached.toLocaleString("en")} hypervisors`, h("span.soft", { title: l.source }, l.formula)])))));
}

on("whatif", (key) => { if (!failed.delete(key)) failed.add(key); latest.draw(); });
on("whatif-none", () => { failed.clear(); latest.draw(); });
on("why", (name) => { why = why === name ? "" : name; latest.draw(); });
on("capacity", (_, form) => { size = Object.fromEntries(new FormData(form)); latest.draw(); });
