// A plan with its diff, and its apply with the progress of each host.

import { h, on, plural, figure } from "./dom.js";
import { ask, may, outcome, refusal, start, watched } from "./asking.js";

const SIGNS = { add: "+", update: "~", remove: "−" };

export function change(state) {
  const { plan, apply } = chosen(state);
  return [
    h("div.tools", null,
      h("button.main", { "data-do": "plan", disabled: !may(state, "operator"), title: may(state, "operator") ? false : "takes the role operator" }, "Plan"),
      h("label.grow", null, h("span.hidden", null, "Hosts"), h("input", { id: "plan-hosts", placeholder: "all hosts, or ctl1, ctl2 …" })),
      h("span.soft", null, "Nothing is changed until a plan is applied.")),
    apply ? applying(watched(state, apply)) : null,
    plan ? planned(state, watched(state, plan), apply) : h("p.soft.pad", null, "A plan says what apply would change, host by host."),
  ];
}

function chosen(state) {
  const [, id] = location.hash.slice(1).split("/");
  const jobs = state.jobs;
  const picked = jobs.find((job) => job.id === id);
  const apply = picked ? (picked.kind === "apply" ? picked : null) : jobs.find((job) => job.kind === "apply" && (job.state === "running" || job === jobs.find((j) => ["plan", "apply"].includes(j.kind))));
  const plan = picked?.kind === "plan" ? picked : apply ? { id: apply.arguments.plan } : jobs.find((job) => job.kind === "plan");
  return { plan: plan?.id, apply: apply?.id };
}

function planned(state, { job, events, result, error }, applied) {
  if (error) return applied ? null : refusal(error);
  if (!job) return h("p.soft", null, "Reading.");
  const said = events.filter((e) => e.type === "text").at(-1);
  if (job.state === "running") return h("p.soft.pad", null, `Planning. ${said?.text || ""} ${plural(events.filter((e) => e.type === "answered").length, "host")} answered.`, " ", h("button.plain", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel"));
  if (!result) return h("section", null, outcome(job), job.error ? refusal(job.error) : null);
  const { plan, failures } = result;
  return h("section.plan", { "data-key": job.id },
    h("div.line", null, h("h2", null, plan.summary), h("span.grow"),
      plan.empty || applied ? null : h("button.main", { "data-do": "apply", "data-arg": job.id, disabled: !may(state, "admin"), title: may(state, "admin") ? false : "takes the role admin" }, "Apply …")),
    Object.entries(failures).map(([host, why]) => h("div.refusal", null, h("b", null, `${host} is left out`), h("pre.why", null, why))),
    plan.stages.map((stage) => h("details.stage", { "data-key": stage.name, open: plan.stages.length < 6 },
      h("summary", null, h("b", null, stage.name), h("span.soft", null, ` ${plural(new Set(stage.changes.flatMap((c) => c.hosts)).size, "host")}, ${plural(stage.changes.length, "change")}${stage.waves.length > 1 ? `, ${stage.rolling} in ${stage.waves.length} steps` : ""}${stage.gate.length ? `; ${plural(stage.gate.length, "check")} at its end` : ""}`)),
      stage.changes.map(changed))));
}

function changed(one) {
  const [first, ...rest] = one.diff.split("\n");
  const hunks = rest.slice(2).filter(Boolean);
  const line = [h(`span.sign.${one.kind}`, null, SIGNS[one.kind]), h("code", null, one.resource), h("span.soft", null, ` ${one.hosts.length > 6 ? plural(one.hosts.length, "host") : one.hosts.join(" ")}  ${first}`)];
  if (!hunks.length) return h("div.change", null, line);
  return h("details.change", null, h("summary", null, line), h("pre.diff", null, hunks.map((text) => h(`span.${{ "+": "add", "-": "remove", "@": "hunk" }[text[0]] || "note"}`, null, `${text}\n`))));
}

function applying({ job, events, error }) {
  if (error) return refusal(error);
  if (!job) return h("p.soft", null, "Reading.");
  const stages = new Map();
  const hosts = new Map();
  let current = null;
  for (const e of events) {
    if (e.type === "stage") { current = e; stages.set(e.stage, { ...e, seconds: null }); hosts.clear(); for (const name of e.hosts) hosts.set(name, "waits for its turn"); }
    if (e.type === "change") hosts.set(e.host, `${e.number}/${e.of} ${e.key}`);
    if (e.type === "changed") hosts.set(e.host, "changed, being checked");
    if (e.type === "waits") hosts.set(e.host, `waits for ${e.check}, ${Math.round(e.left)} s left`);
    if (e.type === "stage-done") { const done = stages.get(e.stage); if (done) done.seconds = e.seconds; hosts.clear(); }
  }
  return h("section.applying", { "data-key": job.id },
    h("div.line", null, h("h2", null, "Apply"), outcome(job), h("span.soft", null, `by ${job.by}`), h("span.grow"), job.state === "running" ? h("button.danger", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …") : null),
    job.error ? refusal(job.error) : null,
    ["interrupted", "cancelled", "failed"].includes(job.state) ? h("p.next", null, "→ Plan again, and apply: it continues where this one stopped.") : null,
    current ? h("progress", { max: current.of, value: [...stages.values()].filter((s) => s.seconds !== null).length, "aria-label": "stages" }) : null,
    h("ol.stages", null, [...stages.values()].map((s) => h("li", { "data-key": s.stage, class: s.seconds === null ? "running" : "done" }, `${s.number}/${s.of} ${s.stage}`, h("span.soft", null, s.seconds === null ? "" : ` ${figure(s.seconds)}`)))),
    job.state === "running" ? h("ul.lines", null, [...hosts].slice(0, 60).map(([name, text]) => h("li", { "data-key": name }, h("b", null, name), h("span", null, text)))) : null);
}

on("plan", async () => {
  const hosts = document.getElementById("plan-hosts").value.split(/[\s,]+/).filter(Boolean);
  const job = await start("plan", { hosts });
  if (job) location.hash = `change/${job.id}`;
});
on("apply", async (plan) => {
  if (!(await ask({ title: "Apply this plan?", body: [h("p", null, "Exactly what is shown is done. It is refused when the hosts are no longer what they were.")], confirm: "Apply", danger: true }))) return;
  const job = await start("apply", { plan });
  if (job) location.hash = `change/${job.id}`;
});
