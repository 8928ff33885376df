// Choose faults, run them, see what a client sees, read the report.

import { get } from "./api.js";
import { h, on, clock, figure, plural } from "./dom.js";
import { ask, fetched, may, outcome, refusal, start, watched } from "./asking.js";
import { table } from "./now.js";

const chosen = new Set();

export function prove(state) {
  const known = fetched(state, "faults", "/v1/faults");
  const [, id] = location.hash.slice(1).split("/");
  const job = state.jobs.find((j) => j.id === id) || state.jobs.find((j) => j.kind === "prove");
  const runs = fetched(state, "runs", "/v1/runs", job ? `${job.id} ${job.state}` : "");
  return [
    job ? campaign(watched(state, job.id)) : null,
    known.error ? refusal(known.error) : null,
    h("form.choose", { "data-do": "prove" },
      h("h2", null, "Faults"),
      h("div.tools", null,
        h("label", null, "Suite ", h("select", { id: "suite" }, ["", "smoke", "standard", "full"].map((s) => h("option", { value: s }, s || "none: the faults below")))),
        h("label", null, "Each lasts ", h("input", { id: "duration", size: 6, placeholder: "20s" })),
        h("label", null, "Repeat ", h("input", { id: "repeat", type: "number", min: 1, max: 100, value: 1 })),
        h("label", null, "Baseline ", h("select", { id: "baseline" }, ["", "kolla-22.2", "osa-33", "ha-guide"].map((s) => h("option", { value: s }, s || "none")))),
        h("label", null, "Soak for ", h("input", { id: "soak", size: 6, placeholder: "8h", title: "Random faults, instead of those chosen" })),
        h("label", null, "Functions ", h("input", { id: "functions", size: 14, placeholder: "all" })),
        h("label.check", null, h("input", { id: "busy", type: "checkbox" }), "cores kept busy"),
        h("label.check", null, h("input", { id: "force", type: "checkbox" }), "also when unhealthy"),
        h("span.grow"),
        h("button.danger", { type: "submit", disabled: !may(state, "admin"), title: may(state, "admin") ? false : "takes the role admin" }, "Inject …")),
      h("label.wide", null, "Chosen ", h("input", { id: "faults", placeholder: "host.power_off@vip, service.freeze@keystone" })),
      known.value ? catalogue(known.value) : null),
    h("section", null, h("h2", null, "Stored campaigns"), runs.error ? refusal(runs.error) : !runs.value ? h("p.soft", null, "Reading.") : !runs.value.runs.length ? h("p.soft", null, "None yet.") :
      runs.value.runs.map((run) => h("details.run", { "data-key": run.name },
        h("summary", null, h(`span.outcome.${run.verdict}`, null, run.verdict), h("b", null, ` ${run.started_at.replace("T", " ").replace("+00:00", " UTC")}`), h("span.soft", null, ` ${run.suite || run.faults.map((f) => f.fault).slice(0, 3).join(", ")}${run.faults.length > 3 ? " …" : ""}`), " ",
          run.report ? h("a", { href: `/v1/runs/${encodeURIComponent(run.name)}/report`, target: "_blank", rel: "noopener" }, "report") : null,
          run.report ? ["table", "junit"].map((form) => [" ", h("a", { href: `/v1/runs/${encodeURIComponent(run.name)}/${form}`, target: "_blank", rel: "noopener" }, form)]) : null),
        table(["fault", "verdict", "on", "longest gap", "worst wait", "degraded", "redundant again"], run.faults.map((f) =>
          [f.fault, h(`span.outcome.${f.verdict}`, { title: f.reasons.join("\n") }, f.verdict), [...f.hosts, ...f.roles].join(", "), figure(f.longest_gap_s), figure(f.worst_wait_s), figure(f.degraded_s), figure(f.redundant_again_s)]))))),
  ];
}

// By family: service, network, host …
function catalogue({ faults, each }) {
  const families = [...new Set(faults.map((f) => f.name.split(".")[0]))];
  return h("div.faults", { tabindex: 0, role: "region", "aria-label": "Faults that can be injected" }, families.map((family) => [h("h3", null, family), h("div", { "data-key": family }, faults.filter((f) => f.name.startsWith(`${family}.`)).map((f) => h("div.fault", { "data-key": f.name },
    h("b", null, f.name), h("span.soft", null, f.what),
    h("span.targets", null, each.filter((e) => e.startsWith(`${f.name}@`)).map((e) => h("button.plain", { type: "button", "data-do": "choose", "data-arg": e, "aria-pressed": String(chosen.has(e)) }, e.slice(f.name.length)))))))]));
}

// Twice a second the client says what it has seen: one cell each, by function.
function campaign({ job, events, result, error }) {
  if (error) return refusal(error);
  if (!job) return h("p.soft", null, "Reading.");
  const rows = new Map();
  const phases = [];
  const verdicts = [];
  let fault = null;
  for (const e of events) {
    if (e.type === "fault") { fault = e; rows.clear(); phases.length = 0; }
    if (e.type === "text") phases.push(e);
    if (e.type === "verdict") verdicts.push(e);
    if (e.type !== "counts") continue;
    for (const [name, [ok, fail, unknown, last]] of Object.entries(e.functions)) {
      const row = rows.get(name) || { cells: [], before: [0, 0, 0], last: null };
      const failed = fail - row.before[1] + unknown - row.before[2];
      row.cells.push(failed > 0 ? "bad" : ok > row.before[0] ? "ok" : "none");
      if (row.cells.length > 120) row.cells.shift();
      rows.set(name, { ...row, before: [ok, fail, unknown], last });
    }
  }
  const latest = Math.max(0, ...[...rows.values()].map((r) => r.last || 0));
  return h("section.campaign", { "data-key": job.id },
    h("div.line", null, h("h2", null, fault ? `${fault.number}/${fault.of} ${fault.fault}` : "Campaign"), outcome(job), h("span.soft", null, `timing ${fault?.profile || ""}, by ${job.by}`), h("span.grow"),
      job.state === "running" ? h("button.danger", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …") : null,
      result?.run ? h("a", { href: `/v1/runs/${encodeURIComponent(result.run)}/report`, target: "_blank", rel: "noopener" }, "Report") : null),
    job.error ? refusal(job.error) : null,
    phases.length ? h("p", { "aria-live": "polite" }, h("span.soft", null, `${clock(phases.at(-1).at)} `), phases.at(-1).text.split("\n")[0]) : null,
    rows.size ? h("div.strips", null, [...rows].map(([name, row]) => h("div.strip", { "data-key": name },
      h("span", null, name.replaceAll("_", " ")), h("span.cells", { role: "img", "aria-label": `${row.before[1] + row.before[2]} failed or unknown` }, row.cells.map((c) => h(`i.${c}`))),
      h("span.soft", null, row.last === null ? "never" : latest - row.last < 1 ? "" : `last ${(latest - row.last).toFixed(1)} s ago`)))) : null,
    verdicts.length ? table(["fault", "verdict", "on", "longest gap", "worst wait", ""], verdicts.map((v) =>
      [v.fault, h(`span.outcome.${v.verdict}`, null, v.verdict), [...v.hosts, ...v.roles].join(", "), figure(v.longest_gap_s), figure(v.worst_wait_s), v.reasons[0] || ""])) : null,
    phases.length > 1 ? h("details", null, h("summary", null, plural(phases.length, "phase")), h("ul.lines", null, phases.map((p) => h("li", null, h("b", null, clock(p.at)), h("span", null, p.text))))) : null);
}

on("choose", (fault, button) => {
  if (!chosen.delete(fault)) chosen.add(fault);
  button.setAttribute("aria-pressed", String(chosen.has(fault)));
  document.getElementById("faults").value = [...chosen].join(", ");
});
on("prove", async () => {
  const value = (id) => document.getElementById(id).value.trim();
  const ticked = (id) => document.getElementById(id).checked;
  const body = { suite: value("soak") ? "" : value("suite"), soak: value("soak"), functions: value("functions").replace(/\s+/g, ""), busy: ticked("busy"), force: ticked("force"), faults: value("suite") || value("soak") ? "" : value("faults").replace(/\s*,\s*/g, ","), duration: value("duration"), repeat: Number(value("repeat")) || 1, baseline: value("baseline") };
  const cloud = await get("/v1/cloud").catch(() => null);
  const go = await ask({
    title: "Inject these faults?", danger: true, confirm: "Inject", typed: cloud?.lab ? "" : cloud?.name,
    body: [h("p", null, body.soak ? `Random faults for ${body.soak}.` : body.suite ? `The suite ${body.suite}.` : body.faults || "Nothing is chosen."), cloud?.lab ? null : h("p", null, "These hosts are not a lab's: their clients will feel every fault.")],
  });
  if (!go) return;
  const job = await start("prove", { ...body, confirm: go.typed || "" });
  if (job) location.hash = `prove/${job.id}`;
});
