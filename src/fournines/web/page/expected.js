// By the model: how available each function will be, what switching over costs, what more hosts would give.

import { h, figure } from "./dom.js";
import { fetched, refusal } from "./asking.js";
import { table } from "./now.js";

export const YEAR = 525960; // minutes
const BUDGET = 52.6; // minutes a year: 99.99 %

export const loading = (known, what) => (known.error ? refusal(known.error) : known.value ? null : h("p.soft.pad", null, `Computing the ${what}. A large cloud takes some seconds.`));

export function expected(state) {
  const known = fetched(state, "design", "/v1/design");
  const made = known.value;
  return [
    loading(known, "availability"),
    made ? h("section", null, h("h2", null, "Expected by the design"), h("p.soft", null, `Minutes a year in which a function does not work, by the model; the mark is ${BUDGET}, four nines.`),
      h("div.bars", null, made.availability.map((a) => h("div.bar", { "data-key": `${a.function} ${a.region}` },
        h("b", null, a.function.replaceAll("_", " ")), h("span.rail", null, h("i", { class: a.minutes > (a.target === null ? BUDGET : (1 - a.target / 100) * YEAR) ? "bad" : "ok", style: { width: `${Math.min(100, (a.minutes / (2 * BUDGET)) * 100)}%` } }), h("i.mark-at")),
        h("span", null, `${a.minutes.toFixed(1)} min`), h("span.soft", null, `${(100 * a.availability).toFixed(4)} %${a.target === null ? "" : `, target ${a.target} % ${a.met ? "met" : "missed"}`}`))))) : null,
    made?.never.length ? h("section", null, h("h2", null, "Never"), h("ul", null, made.never.map(([f, region, missing]) => h("li", null, `${f} in ${region}: nothing carries ${missing.join(", ")}`)))) : null,
    made ? h("section", null, h("details", null, h("summary", null, h("b", null, "What switching over costs")), table(["function", "service", "a switch takes", "times a year", "from"], made.availability.flatMap((a) => a.switches.map((s) => [a.function.replaceAll("_", " "), s.service, figure(s.seconds), s.a_year.toFixed(1), s.origin]))))) : null,
    made?.purchases.length ? h("section", null, h("h2", null, "What more hosts would give"), table(["hosts", "like", "minutes a year"], made.purchases.map((p) => [`${p.hosts} more`, p.like, p.minutes.map(([name, before, after]) => h("div", null, `${name.replaceAll("_", " ")} ${before.toFixed(1)} → `, h(`span${after > before ? ".bad" : ""}`, null, after.toFixed(1))))]))) : null,
  ];
}

export function measured(known) {
  if (known.error) return refusal(known.error);
  if (!known.value) return h("p.soft", null, "Reading.");
  const rows = known.value.runs.flatMap((run) => run.faults.filter((f) => f.own).map((f) => [run.started_at.slice(0, 16).replace("T", " "), f.fault, h(`span.outcome.${f.verdict}`, null, f.verdict), figure(f.longest_gap_s), figure(f.worst_wait_s)]));
  return rows.length ? table(["run", "fault", "verdict", "longest gap", "worst wait"], rows.slice(0, 60)) : h("p.soft", null, "Nothing was measured yet: see Prove.");
}
