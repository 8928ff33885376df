// A plan with its diff, and its apply with the progress of each host.

import { h, on, plural } from "./dom.js";
import { ask, may, outcome, refusal, start, watched } from "./asking.js";
import { progressOf, stages } from "./plan.js";

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
    h("div.line", null, h("h2", null, "Plan"), applied ? null : outcome(job), h("span.grow"),
      plan.empty || applied ? null : h("button.main", { "data-do": "apply", "data-arg": job.id, disabled: !may(state, "admin"), title: may(state, "admin") ? false : "takes the role admin" }, "Apply …")),
    Object.entries(failures).map(([host, why]) => h("div.refusal", null, h("b", null, `${host} is left out`), h("pre.why", null, why))),
    stages(plan));
}

function applying({ job, events, error }) {
  if (error) return refusal(error);
  if (!job) return h("p.soft", null, "Reading.");
  return h("section.applying", { "data-key": job.id },
    h("div.line", null, h("h2", null, "Apply"), outcome(job), h("span.soft", null, `by ${job.by}`), h("span.grow"), job.state === "running" ? h("button.danger", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …") : null),
    job.error ? refusal(job.error) : null,
    ["interrupted", "cancelled", "failed"].includes(job.state) ? h("p.next", null, "→ Plan again, and apply: it continues where this one stopped.") : null,
    progressOf(job, events));
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
