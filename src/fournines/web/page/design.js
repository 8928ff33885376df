// Before anything fails: how available each function will be, what stops it, which limits are near; and what was measured.

import { h, dot, figure, plural } from "./dom.js";
import { fetched, refusal } from "./asking.js";
import { table } from "./now.js";

const YEAR = 525960; // minutes
const BUDGET = 52.6; // minutes a year: 99.99 %

const loading = (known, what) => (known.error ? refusal(known.error) : known.value ? null : h("p.soft.pad", null, `Computing the ${what}. A large cloud takes some seconds.`));

export function availability(state) {
  const known = fetched(state, "design", "/v1/design");
  const runs = fetched(state, "runs", "/v1/runs");
  const made = known.value;
  return [
    h("h1", null, "Availability"), loading(known, "availability"),
    made ? h("section", null, h("p.soft", null, `Minutes a year in which a function does not work, by the model; the mark is ${BUDGET}, four nines.`),
      h("div.bars", null, made.availability.map((a) => h("div.bar", { "data-key": `${a.function} ${a.region}` },
        h("b", null, a.function.replaceAll("_", " ")), h("span.rail", null, h("i", { class: a.minutes > (a.target === null ? BUDGET : (1 - a.target / 100) * YEAR) ? "bad" : "ok", style: { width: `${Math.min(100, (a.minutes / (2 * BUDGET)) * 100)}%` } }), h("i.mark-at")),
        h("span", null, `${a.minutes.toFixed(1)} min`), h("span.soft", null, `${(100 * a.availability).toFixed(4)} %${a.target === null ? "" : `, target ${a.target} % ${a.met ? "met" : "missed"}`}`))))) : null,
    made?.never.length ? h("section", null, h("h2", null, "Never"), h("ul", null, made.never.map(([f, region, missing]) => h("li", null, `${f} in ${region}: nothing carries ${missing.join(", ")}`)))) : null,
    made ? h("section", null, h("h2", null, "What switching over costs"), table(["function", "service", "a switch takes", "times a year", "from"], made.availability.flatMap((a) => a.switches.map((s) => [a.function.replaceAll("_", " "), s.service, figure(s.seconds), s.a_year.toFixed(1), s.origin])))) : null,
    h("section", null, h("h2", null, "Measured"), runs.error ? refusal(runs.error) : measured(runs.value)),
    made?.purchases.length ? h("section", null, h("h2", null, "What more hosts would give"), table(["hosts", "like", "minutes a year"], made.purchases.map((p) => [`${p.hosts} more`, p.like, p.minutes.map(([name, before, after]) => h("div", null, `${name.replaceAll("_", " ")} ${before.toFixed(1)} → ${after.toFixed(1)}`))]))) : null,
  ];
}

function measured(value) {
  if (!value) return h("p.soft", null, "Reading.");
  const rows = value.runs.flatMap((run) => run.faults.filter((f) => f.profile === run.profile).map((f) => [run.started_at.slice(0, 16).replace("T", " "), f.fault, h(`span.outcome.${f.verdict}`, null, f.verdict), figure(f.longest_gap_s), figure(f.worst_wait_s)]));
  return rows.length ? table(["run", "fault", "verdict", "longest gap", "worst wait"], rows.slice(0, 60)) : h("p.soft", null, "Nothing was measured yet: see Prove.");
}

export function design(state) {
  const check = fetched(state, "check", "/v1/check");
  const known = fetched(state, "design", "/v1/design");
  const made = known.value;
  const single = made?.weaknesses.filter((w) => w.order === 1) || [];
  const pairs = made?.weaknesses.filter((w) => w.order > 1) || [];
  const cut = (list) => h("ul.cuts", null, list.slice(0, 30).map((w) => h("li", null, dot(w.order === 1 ? "down" : "warning"), h("div", null, w.what, h("div.soft", null, `stops ${w.stops.map((s) => s.replaceAll("_", " ")).join(", ")}${w.count > 1 ? `; ${plural(w.count, "such set")}` : ""}${w.probability > 0 ? `; down together ${(w.probability * YEAR).toPrecision(2)} minutes a year` : ""}`), w.removes ? h("div.next", null, `→ ${w.removes}`) : null))));
  return [
    h("h1", null, "Design"), loading(known, "cut sets"),
    check.error ? refusal(check.error) : check.value ? h("section", null, h("h2", null, "Check"), check.value.findings.length ? h("ul.cuts", null, check.value.findings.map((f) => h("li", null, dot(f.severity === "error" ? "down" : "warning"), h("div", null, h("code", null, `${f.file.split("/").at(-1)}:${f.line}:${f.column}`), ` ${f.what} `, h("span.soft", null, `[${f.rule}] ${f.why}`), f.accepted ? h("div.soft", null, `accepted: ${f.accepted}`) : f.change ? h("div.next", null, `→ ${f.change}`) : null)))) : h("p", null, dot("ok"), " Nothing to report.")) : null,
    made ? h("section", null, h("h2", null, "Single points of failure"), single.length ? cut(single) : h("p", null, dot("ok"), " None: no one component stops a function.")) : null,
    made ? h("section", null, h("h2", null, "Cut sets: what stops a function together"), pairs.length ? cut(pairs) : h("p.soft", null, "None worth a line.")) : null,
    made?.degraded.length ? h("section", null, h("h2", null, "After the first failure"), h("ul.cuts", null, made.degraded.slice(0, 20).map((d) => h("li", null, dot("warning"), h("div", null, d.what))))) : null,
    made ? h("section", null, h("h2", null, "Limits"), table(["limit", "now", "most", "met at", "formula"], made.limits.map((l) => [l.name, Math.round(l.now).toLocaleString("en"), Math.round(l.most).toLocaleString("en"), l.reached === null ? "–" : `${l.reached.toLocaleString("en")} hypervisors`, h("span.soft", { title: l.source }, l.formula)]))) : null,
  ];
}
