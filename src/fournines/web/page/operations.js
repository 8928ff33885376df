// What can be done, as the API lists it: each is a form made of its arguments' JSON Schema. Below, all jobs.

import { h, on, moment, ago } from "./dom.js";
import { ask, fetched, may, outcome, refusal, start, watched } from "./asking.js";
import { table } from "./now.js";

export function operations(state) {
  const known = fetched(state, "operations", "/v1/operations");
  const [, id] = location.hash.slice(1).split("/");
  const audit = may(state, "admin") ? fetched(state, "audit", "/v1/audit", state.jobs[0] ? `${state.jobs[0].id} ${state.jobs[0].state}` : "") : null;
  return [
    known.error ? refusal(known.error) : null,
    h("div.columns", null, known.value?.operations.filter((o) => o.form).map((o) => h("section.operation", { "data-key": o.name },
      h("h2", null, o.title), h("p.soft", null, o.what),
      h("form", { "data-do": "operate", "data-arg": o.name }, Object.entries(o.arguments.properties || {}).map(([name, field]) => input(name, field, o.arguments.required || [])),
        h(`button${o.role === "admin" ? ".danger" : ".main"}`, { type: "submit", disabled: !may(state, o.role), title: may(state, o.role) ? false : `takes the role ${o.role}` }, o.confirm ? `${o.title} …` : o.title))))),
    id ? detail(watched(state, id)) : null,
    h("section", null, h("h2", null, "Jobs"), state.jobs.length ? table(["job", "state", "by", "began", "took"], state.jobs.map((job) => [
      h("a", { href: `#${{ plan: "change", apply: "change", prove: "prove" }[job.kind] || "operations"}/${job.id}` }, job.kind), outcome(job), job.by, moment(job.began),
      h("span", null, job.ended ? ago(job.ended - job.began) : "", job.state === "running" ? h("button.plain", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …") : null, job.state === "interrupted" ? h("a", { href: "#change" }, "plan again") : null)])) : h("p.soft", null, "None yet.")),
    audit?.value ? h("section", null, h("h2", null, "Audit"), table(["at", "who", "what", "outcome"], audit.value.entries.slice(0, 50).map((e) =>
      [new Date(e.at).toLocaleString("en-GB"), `${e.who || "nobody"}${e.role ? `, ${e.role}` : ""} from ${e.address}`, e.what, h(`span${e.outcome === "ok" ? "" : ".bad"}`, null, e.outcome)]))) : null,
  ];
}

function input(name, field, required) {
  const type = field.type || field.anyOf?.find((f) => f.type !== "null")?.type;
  const label = field.title || name;
  const common = { name, title: field.description || false, required: required.includes(name) && type !== "boolean" };
  if (field.const !== undefined) return h("input", { type: "hidden", name, value: field.const, "data-type": "string" });
  if (field.enum) return h("label", null, label, h("select", { ...common, "data-type": "string" }, field.enum.map((v) => h("option", { value: v, selected: v === field.default }, v || "none"))));
  if (type === "boolean") return h("label.check", null, h("input", { ...common, type: "checkbox", "data-type": "boolean" }), label);
  if (type === "number" || type === "integer") return h("label", null, label, h("input", { ...common, type: "number", step: type === "integer" ? 1 : "any", value: field.default ?? false, "data-type": "number" }));
  if (type === "array") return h("label", null, label, h("input", { ...common, placeholder: "a, b …", "data-type": "array" }));
  return h("label", null, label, h("input", { ...common, value: field.default || false, "data-type": "string" }));
}

function detail({ job, events, result, error }) {
  if (error) return refusal(error);
  if (!job) return null;
  return h("section", { "data-key": job.id }, h("div.line", null, h("h2", null, job.kind), outcome(job), h("span.soft", null, job.id)),
    job.error ? refusal(job.error) : null,
    events.some((e) => e.type === "step") ? table(["step", "outcome", "took", ""], events.filter((e) => e.type === "step").map((e) => [e.name, h(`span.outcome.${e.outcome}`, null, e.outcome), `${e.seconds.toFixed(1)} s`, e.said])) : null,
    h("ul.lines", null, events.filter((e) => e.type !== "step").slice(-12).map((e) => h("li", null, h("b", null, e.type), h("span", null, e.text || [e.host, e.stage, e.key || e.check].filter(Boolean).join(" "))))),
    result ? h("details", null, h("summary", null, "Result"), h("pre.log", null, JSON.stringify(result, null, 1))) : null);
}

on("operate", async (name, form) => {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    const type = field.dataset.type;
    if (type === "boolean") body[field.name] = field.checked;
    else if (type === "number") { if (field.value !== "") body[field.name] = Number(field.value); }
    else if (type === "array") body[field.name] = field.value.split(/[\s,]+/).filter(Boolean);
    else if (field.value !== "") body[field.name] = field.value;
  }
  const danger = form.querySelector("button.danger");
  if (danger && !(await ask({ title: `${danger.textContent.replace(" …", "")}?`, body: [h("pre.why", null, JSON.stringify(body, null, 1))], confirm: "Go on", danger: true }))) return;
  const job = await start(name, body);
  if (job) location.hash = `operations/${job.id}`;
});
