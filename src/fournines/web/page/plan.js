// A plan with its diff, and the progress of what carries one out: of applies, and of every operation of day two.

import { h, plural, figure } from "./dom.js";

const SIGNS = { add: "+", update: "~", remove: "−" };

export function stages(plan) {
  return [
    h("p", null, h("b", null, plan.summary)),
    plan.stages.map((stage) => h("details.stage", { "data-key": stage.name, open: plan.stages.length < 6 },
      h("summary", null, h("b", null, stage.name), h("span.soft", null, ` ${plural(new Set(stage.changes.flatMap((c) => c.hosts)).size, "host")}, ${plural(stage.changes.length, "change")}${stage.waves.length > 1 ? `, ${stage.rolling} in ${stage.waves.length} steps` : ""}${stage.gate.length ? `; ${plural(stage.gate.length, "check")} at its end` : ""}`)),
      stage.changes.map(changed))),
  ];
}

function changed(one) {
  const [first, ...rest] = one.diff.split("\n");
  const hunks = rest.slice(2).filter(Boolean);
  const line = [h(`span.sign.${one.kind}`, null, SIGNS[one.kind]), h("code", null, one.resource), h("span.soft", null, ` ${one.hosts.length > 6 ? plural(one.hosts.length, "host") : one.hosts.join(" ")}  ${first}`)];
  if (!hunks.length) return h("div.change", null, line);
  return h("details.change", null, h("summary", null, line), h("pre.diff", null, hunks.map((text) => h(`span.${{ "+": "add", "-": "remove", "@": "hunk" }[text[0]] || "note"}`, null, `${text}\n`))));
}

// Stages that are done, the one that runs, and what each host of it does. null before anything has begun.
export function progressOf(job, events) {
  const found = new Map();
  const hosts = new Map();
  let current = null;
  for (const e of events) {
    if (e.type === "stage") {
      if (e.number === 1) found.clear(); // a further plan of the same job
      current = e;
      found.set(e.stage, { ...e, seconds: null });
      hosts.clear();
      for (const name of e.hosts) hosts.set(name, "waits for its turn");
    }
    if (e.type === "change") hosts.set(e.host, `${e.number}/${e.of} ${e.key}`);
    if (e.type === "changed") hosts.set(e.host, "changed, being checked");
    if (e.type === "waits") hosts.set(e.host, `waits for ${e.check}, ${Math.round(e.left)} s left`);
    if (e.type === "stage-done") { const done = found.get(e.stage); if (done) done.seconds = e.seconds; hosts.clear(); }
  }
  if (!current) return null;
  return [
    h("progress", { max: current.of, value: [...found.values()].filter((s) => s.seconds !== null).length, "aria-label": "stages" }),
    h("ol.stages", null, [...found.values()].map((s) => h("li", { "data-key": s.stage, class: s.seconds === null ? "running" : "done" }, `${s.number}/${s.of} ${s.stage}`, h("span.soft", null, s.seconds === null ? "" : ` ${figure(s.seconds)}`)))),
    job.state === "running" ? h("ul.lines", null, [...hosts].slice(0, 60).map(([name, text]) => h("li", { "data-key": name }, h("b", null, name), h("span", null, text)))) : null,
  ];
}
