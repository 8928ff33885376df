// What can be done, as the API lists it: each is a form made of its arguments' JSON Schema. Below, all jobs.

import { h, on, dot, moment, ago, clock, plural } from "./dom.js";
import { ask, fetched, may, outcome, refusal, start, watched } from "./asking.js";
import { progressOf, stages } from "./plan.js";
import { table } from "./now.js";

const GROUPS = ["Maintenance", "Size", "Secrets and data", "Power", "Lab", "Checks"];
const HOST_FIELDS = ["host", "without", "target"];
const OWN_PAGE = { plan: "change", apply: "change", prove: "prove" };
// Typed in the confirmation, or said by which button is pressed.
const ELSEWHERE = ["dry_run", "confirm"];

let chosen = "";
let latest = null; // of the state, for the actions below

export function operations(state) {
  latest = state;
  const known = fetched(state, "operations", "/v1/operations");
  const [, first, name, subject] = location.hash.slice(1).split("/");
  const id = first === "new" ? "" : first;
  const all = known.value?.operations || [];
  const offered = all.filter((o) => o.group);
  const picked = first === "new" ? offered.find((o) => o.name === name) : null;
  chosen = picked ? picked.name : "";
  return [
    known.error ? refusal(known.error) : null,
    id ? detail(state, watched(state, id), offered) : null,
    picked ? form(state, picked, decodeURIComponent(subject || "")) : null,
    h("section", null, h("div.groups", null, GROUPS.filter((group) => group !== "Lab" || fetched(state, "cloud", "/v1/cloud").value?.lab).map((group) => h("div", { "data-key": group }, h("h2", null, group),
      h("ul.choices", null, offered.filter((o) => o.group === group).map((o) => h("li", null,
        h("a", { href: `#operations/new/${o.name}`, "aria-current": o.name === chosen ? "true" : false, title: o.what }, o.title)))))))),
    backups(state),
    h("section", null, h("h2", null, "Jobs"), state.jobs.length ? table(["job", "of", "state", "by", "began", "took"], state.jobs.map((job) => [
      h("a", { href: `#${OWN_PAGE[job.kind] || "operations"}/${job.id}` }, titleOf(all, job.kind)), of(job), outcome(job), job.by, moment(job.began),
      h("span", null, job.ended ? ago(job.ended - job.began) : "", buttons(state, job, offered))])) : h("p.soft", null, "None yet.")),
    audit(state),
  ];
}

const titleOf = (offered, kind) => offered.find((o) => o.name === kind)?.title || kind;

// What a job is about, in a few words.
function of(job) {
  const { host, hosts, gone, target, what, backup, faults, suite, to, dry_run: dry } = job.arguments;
  const said = host || target || what || backup || suite || faults || to || (hosts || gone || []).join(" ");
  return h("span", null, said.length > 40 ? `${said.slice(0, 39)}…` : said, dry ? h("span.soft", null, said ? ", plan only" : "plan only") : null);
}

const STOPPED = ["interrupted", "failed", "cancelled"];
function buttons(state, job, offered) {
  if (job.state === "running") return h("button.plain", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …");
  if (!STOPPED.includes(job.state)) return null;
  const kind = offered.find((o) => o.name === job.kind);
  if (["plan", "apply"].includes(job.kind)) return h("a", { href: "#change" }, "plan again");
  return kind?.again && !job.arguments.dry_run && may(state, kind.role) ? h("button.plain", { "data-do": "continue-job", "data-arg": job.id }, "Continue …") : null;
}

function backups(state) {
  if (!may(state, "operator")) return null;
  const done = state.jobs.find((job) => ["backup", "restore"].includes(job.kind));
  const known = fetched(state, "backups", "/v1/backups", done ? `${done.id} ${done.state}` : "");
  if (known.error) return refusal(known.error);
  if (!known.value) return null;
  return h("section", null, h("h2", null, "Backups"), known.value.backups.length ? table(["backup", "taken", "size", "verified", ""], known.value.backups.slice(0, 20).map((b) => [
    b.name, b.taken ? moment(Date.parse(b.taken) / 1000) : "", b.bytes ? `${(b.bytes / 1e6).toFixed(1)} MB` : "",
    b.problem ? h("span.bad", null, b.problem) : b.verified ? `yes, ${plural(b.rows, "row")}` : h("span.bad", null, "no"),
    may(state, "admin") && !b.problem ? h("span.line", null, h("a", { href: `#operations/new/backup-verify/${b.name}` }, "verify"), h("a", { href: `#operations/new/restore/${b.name}` }, "restore")) : ""])) : h("p.soft", null, "None yet in ", h("code", null, known.value.directory), "."));
}

function audit(state) {
  if (!may(state, "admin")) return null;
  const known = fetched(state, "audit", "/v1/audit", state.jobs[0] ? `${state.jobs[0].id} ${state.jobs[0].state}` : "");
  if (!known.value) return null;
  return h("section", null, h("details", null, h("summary", null, h("b", null, "Audit"), h("span.soft", null, ` who did what, the newest ${Math.min(50, known.value.entries.length)}`)), table(["at", "who", "what", "outcome"], known.value.entries.slice(0, 50).map((e) =>
    [new Date(e.at).toLocaleString("en-GB"), `${e.who || "nobody"}${e.role ? `, ${e.role}` : ""} from ${e.address}`, e.what, h(`span${e.outcome === "ok" ? "" : ".bad"}`, null, e.outcome)]))));
}

// A form

const choices = (id, names) => h("datalist", { id }, [...new Set(names)].map((name) => h("option", { value: name })));

function form(state, o, subject) {
  const fields = Object.entries(o.arguments.properties || {}).filter(([name]) => !ELSEWHERE.includes(name));
  const first = fields.find(([name]) => HOST_FIELDS.includes(name) || name === "backup")?.[0];
  const allowed = may(state, o.role);
  const why = allowed ? false : `takes the role ${o.role}`;
  return h("section.operation", { "data-key": `form ${o.name} ${subject}` },
    h("div.line", null, h("h2", null, o.title), h("span.grow"), h("a.button", { href: "#operations" }, "Close")), h("p.soft", null, o.what),
    choices("hosts", (state.status?.hosts || []).map((host) => host.name)), choices("zones", (state.status?.hosts || []).map((host) => host.zone)), choices("roles", (state.status?.hosts || []).flatMap((host) => host.roles)),
    h("form", { "data-do": "operate", "data-arg": o.name },
      h("div.fields", null, fields.map(([name, field]) => input(state, name, field, o.arguments.required || [], name === first ? subject : ""))),
      h("div.buttons", null,
        o.arguments.properties?.dry_run ? h("button.main", { type: "submit", value: "dry", disabled: !allowed, title: why }, "Show the plan") : null,
        h(`button${o.confirm ? ".danger" : ".main"}`, { type: "submit", value: "go", disabled: !allowed, title: why }, o.confirm ? `${o.title} …` : o.title)),
      allowed ? null : h("p.soft", null, `You are ${state.session.role} here; this takes the role ${o.role}.`)));
}

function input(state, name, field, required, given) {
  const type = field.type || field.anyOf?.find((f) => f.type !== "null")?.type;
  const must = required.includes(name) && type !== "boolean";
  const label = [field.title || name, field.description ? h("span.hint", null, field.description) : null];
  const common = { name, required: must };
  const value = given || field.default;
  if (name === "region" && state.status && state.status.regions.length < 2) return null;
  if (name === "backup") {
    const known = fetched(state, "backups", "/v1/backups", state.known.backups?.stamp || "");
    return h("label", null, label, h("select", { ...common, "data-type": "string" }, (known.value?.backups || []).filter((b) => !b.problem).map((b) => h("option", { value: b.name, selected: b.name === given }, `${b.name}${b.verified ? "" : " (not verified)"}`))));
  }
  if (name === "region") return h("label", null, label, h("select", { ...common, "data-type": "string" }, (state.status?.regions || []).map((r) => h("option", { value: r.name }, r.name))));
  if (field.enum) return h("label", null, label, h("select", { ...common, "data-type": "string" }, field.enum.map((v) => h("option", { value: v, selected: v === value }, v || "none"))));
  if (type === "boolean") return h("label.check", null, h("input", { ...common, type: "checkbox", "data-type": "boolean" }), h("span", null, label));
  if (type === "number" || type === "integer") return h("label", null, label, h("input", { ...common, type: "number", step: type === "integer" ? 1 : "any", value: value ?? false, "data-type": "number" }));
  if (type === "array") return h("label", null, label, h("input", { ...common, placeholder: "a, b …", "data-type": "array", list: ["hosts", "roles"].includes(name) ? name : false }));
  const hosts = HOST_FIELDS.includes(name) && field.title !== "Name";
  return h("label", null, label, h("input", { ...common, value: value || false, "data-type": "string", list: hosts ? "hosts" : name === "zone" ? "zones" : false, autocomplete: "off", spellcheck: "false" }));
}

function values(element) {
  const body = {};
  for (const field of element.elements) {
    if (!field.name) continue;
    const type = field.dataset.type;
    if (type === "boolean") body[field.name] = field.checked;
    else if (type === "number") { if (field.value !== "") body[field.name] = Number(field.value); }
    else if (type === "array") body[field.name] = field.value.split(/[\s,]+/).filter(Boolean);
    else if (field.value.trim() !== "") body[field.name] = field.value.trim();
  }
  return body;
}

// Asks as the command line does, and more where data or a host may be lost; then begins.
async function begin(o, body) {
  const takes = o.arguments.properties || {};
  if (o.name === "fence" && body.action === "status") return launched(o.name, body);
  const cloud = fetched(latest, "cloud", "/v1/cloud").value;
  const real = takes.confirm && !o.typed && cloud && !cloud.lab;
  const typed = o.typed === "cloud" || real ? latest.session.cloud : o.typed ? body[o.typed] || "" : "";
  if (o.confirm) {
    const go = await ask({ title: o.confirm, body: [h("dl.pairs", null, Object.entries(body).filter(([, v]) => v !== false && v !== "" && v !== null).map(([k, v]) => [h("dt", null, takes[k]?.title || k), h("dd", null, v === true ? "yes" : String(v))])),
      real ? h("p", null, "These hosts are not a lab's: their clients will feel it.") : null], confirm: o.title, danger: true, typed });
    if (!go) return;
  }
  await launched(o.name, takes.confirm ? { ...body, confirm: typed } : body);
}

async function launched(name, body) {
  const job = await start(name, body);
  if (job) location.hash = `operations/${job.id}`;
}

// A job

function detail(state, { job, events, result, error }, offered) {
  if (error) return refusal(error);
  if (!job) return h("p.soft.pad", null, "Reading.");
  const kind = offered.find((o) => o.name === job.kind);
  const steps = events.filter((e) => e.type === "step");
  const lines = events.filter((e) => e.type === "text" || e.type === "host-failed");
  return h("section.job", { "data-key": job.id },
    h("div.line", null, h("h2", null, titleOf(offered, job.kind)), of(job), outcome(job), h("span.soft", null, `by ${job.by}, ${moment(job.began)}${job.ended ? `, took ${ago(job.ended - job.began)}` : ""}`), h("span.grow"),
      job.state === "running" ? h("button.danger", { "data-do": "cancel-job", "data-arg": job.id }, "Cancel …") : null,
      STOPPED.includes(job.state) && kind?.again && !job.arguments.dry_run && may(state, kind.role) ? h("button.main", { "data-do": "continue-job", "data-arg": job.id }, "Continue …") : null,
      job.state === "done" && job.arguments.dry_run && result?.decided !== false && may(state, kind?.role) ? h("button.danger", { "data-do": "carry-out", "data-arg": job.id }, `${kind.title} …`) : null,
      h("a.button", { href: "#operations" }, "Close")),
    job.error ? refusal(job.error) : null,
    STOPPED.includes(job.state) && kind?.again ? h("p.next", null, "→ Begun again with the same arguments, it continues where this one stopped.") : null,
    lines.length ? h("ol.lines", { "aria-live": "polite" }, lines.slice(-40).map((e) => h("li", null, h("b", null, clock(e.at)), h("span", null, e.text || `${e.host}: ${e.what}`)))) : job.state === "running" ? h("p.soft", null, "Begins.") : null,
    progressOf(job, events),
    steps.length ? table(["step", "outcome", "took", ""], steps.map((e) => [e.name, h(`span.outcome.${e.outcome}`, null, e.outcome), `${e.seconds.toFixed(1)} s`, e.said])) : null,
    result ? resulted(result) : null);
}

// What came of it: plans as plans, the rest as pairs.
function resulted(result) {
  const { plan, first, phases, order, steps, counts, waits, findings, switches, packages, on, observed, decided, done: _done, host: _host, ...rest } = result;
  const pairs = Object.entries(rest).filter(([, v]) => ["string", "number", "boolean"].includes(typeof v) && v !== "");
  return [
    pairs.length ? h("dl.pairs", null, pairs.map(([k, v]) => [h("dt", null, k.replaceAll("_", " ")), h("dd", null, v === true ? "yes" : v === false ? "no" : typeof v === "number" ? v.toLocaleString("en") : v)])) : null,
    order ? h("p", null, h("b", null, "Order: "), order.join(", ")) : null,
    Array.isArray(steps) && typeof steps[0] === "string" ? h("ul.lines", null, steps.map((s) => h("li", null, h("span", null, s)))) : null,
    Array.isArray(counts) ? table(["what must not happen", "times", "counted by"], counts.map((c) => [c.what, c.count === null ? "unknown" : c.count, c.source])) : null,
    findings ? recovery(findings, switches, decided) : null,
    packages ? versions(packages, on) : null,
    observed ? table(["of", "limit", "seen", "predicted", "holds", "formula"], observed.map((o) => [o.where, o.what, span(o.seen, o.peak), number(o.predicted), h(`span${o.holds ? "" : ".bad"}`, null, o.holds ? "yes" : "no"), h("span.soft", null, o.formula)])) : null,
    plan && !(findings && plan.empty) ? stages(plan) : null,
    first ? stages(first) : null,
    (phases || []).map((p) => h("div.phase", { "data-key": p.phase }, h("h3", null, `Phase: ${p.phase}`), stages(p))),
  ];
}

// What a look at a cloud that does not come back by itself found: evidence, what the way out loses, what is kept.
const recovery = (findings, switches, decided) => [
  decided ? null : h("p", null, dot("warning"), h("b", null, " A decision is missing; nothing was changed.")),
  findings.length ? null : h("p", null, dot("ok"), " Nothing has to be recovered."),
  findings.map((f) => h("div.phase", null, h("h3", null, `${f.what} (${[f.region, f.hosts.join(", ")].filter(Boolean).join(": ")})`),
    h("dl.pairs", null, [["seen", f.evidence], ["loses", f.loses], ["keeps", f.keeps], ["choose", [f.choose]], ["next", [f.next]]].map(([word, lines]) => lines.filter(Boolean).map((line, i) => [h("dt", null, i ? "" : word), h("dd", null, line)]))))),
  switches.length ? h("p", null, h("b", null, "Switched off first: "), switches.map((s) => `${s.host}, by ${s.by === "person" ? "you" : s.by}`).join("; ")) : null,
];

const versions = (packages, on) => [
  table(["host", "OpenStack", "Debian", "kernel wants a reboot", "against an upgrade"], Object.entries(on).map(([name, o]) => [name, o.release, o.debian, o.reboot, o.problems.join("; ")])),
  table(["package", "installed", "candidate", "", "hosts"], packages.map((p) => [p.package, p.installed, p.candidate === "=" ? h("span.soft", null, "the same") : p.candidate, h(`span${p.remark.includes("security") ? ".bad" : ""}`, null, p.remark), h("span.soft", null, p.hosts.length > 6 ? plural(p.hosts.length, "host") : p.hosts.join(" "))])),
];

const number = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3));
const span = (now, peak) => (peak > now ? `${number(now)}, at most ${number(peak)}` : number(now));

on("operate", async (name, element, event) => {
  const o = latest.known.operations.value.operations.find((x) => x.name === name);
  const body = values(element);
  if (event.submitter?.value === "dry") return launched(name, { ...body, dry_run: true, ...(o.arguments.properties.confirm ? { confirm: "" } : {}) });
  await begin(o, body);
});
const ofJob = (id) => {
  const job = latest.jobs.find((j) => j.id === id) || latest.known[`job ${id}`]?.job;
  return [latest.known.operations.value.operations.find((o) => o.name === job.kind), job.arguments];
};
const without = ({ dry_run: _dry, confirm: _confirm, ...body }) => Object.fromEntries(Object.entries(body).filter(([, v]) => v !== null));
on("continue-job", async (id) => { const [o, body] = ofJob(id); await begin(o, without(body)); });
on("carry-out", async (id) => { const [o, body] = ofJob(id); await begin(o, without(body)); });
