// Before anything fails: what stops each function, which limits are near, and what would be if.

import { h, dot, plural } from "./dom.js";
import { fetched, may, refusal } from "./asking.js";
import { YEAR, loading } from "./expected.js";
import { capacity, whatIf } from "./whatif.js";

const WORTH = 0.001; // minutes a year of a cut set that has its own line

export function design(state) {
  const check = fetched(state, "check", "/v1/check");
  const known = fetched(state, "design", "/v1/design");
  const made = known.value;
  const single = made?.weaknesses.filter((w) => w.order === 1) || [];
  const pairs = made?.weaknesses.filter((w) => w.order > 1 && w.probability * YEAR >= WORTH) || [];
  const rare = made?.weaknesses.filter((w) => w.order > 1 && w.probability * YEAR < WORTH) || [];
  const cut = (list) => h("ul.cuts", null, list.slice(0, 30).map((w) => h("li", null, dot(w.order === 1 ? "down" : "warning"), h("div", null, w.what, h("div.soft", null, `stops ${w.stops.map((s) => s.replaceAll("_", " ")).join(", ")}${w.count > 1 ? `; ${plural(w.count, "such set")}` : ""}${w.probability > 0 ? `; down together ${(w.probability * YEAR).toPrecision(2)} minutes a year` : ""}`), w.removes ? h("div.next", null, `→ ${w.removes}`) : null))));
  return [
    whatIf(state),
    loading(known, "cut sets"),
    check.error ? refusal(check.error) : check.value ? h("section", null, h("h2", null, "Check"), check.value.findings.length ? h("ul.cuts", null, check.value.findings.map((f) => h("li", null, dot(f.severity === "error" ? "down" : "warning"), h("div", null, h("code", null, `${f.file.split("/").at(-1)}:${f.line}:${f.column}`), ` ${f.what} `, h("span.soft", null, `[${f.rule}] ${f.why}`), f.accepted ? h("div.soft", null, `accepted: ${f.accepted}`) : f.change ? h("div.next", null, `→ ${f.change}`) : null)))) : h("p", null, dot("ok"), " Nothing to report.")) : null,
    made ? h("section", null, h("h2", null, "Single points of failure"), single.length ? cut(single) : h("p", null, dot("ok"), " None: no one component stops a function.")) : null,
    made ? h("section", null, h("h2", null, "Cut sets: what stops a function together"), pairs.length ? cut(pairs) : h("p", null, dot("ok"), ` None that costs ${WORTH} minutes a year.`), rare.length ? h("details", null, h("summary", null, `${rare.length} more, each below ${WORTH} minutes a year`), cut(rare)) : null) : null,
    made?.degraded.length ? h("section", null, h("h2", null, "After the first failure"), h("ul.cuts", null, made.degraded.slice(0, 20).map((d) => h("li", null, dot("warning"), h("div", null, d.what))))) : null,
    capacity(state),
    h("section", null, h("h2", null, "Documents"), h("ul", null, DOCUMENTS.filter(([, , , role]) => may(state, role)).map(([path, title, what]) =>
      h("li", null, h("a", { href: `/v1/documents/${path}`, target: "_blank", rel: "noopener" }, title), h("span.soft", null, ` ${what}`))))),
  ];
}

const DOCUMENTS = [
  ["architecture", "Architecture", "what this cloud is and what it is worth, for a review; prints well", "reader"],
  ["architecture.md", "The same as Markdown", "", "reader"],
  ["inventory", "Ansible inventory", "a group for each region, zone, role and service", "operator"],
  ["grafana", "Dashboard for Grafana", "to import; it asks a Prometheus that reads this cloud", "reader"],
  ["schema", "JSON Schema of the cloud file", "for editors", "reader"],
];
