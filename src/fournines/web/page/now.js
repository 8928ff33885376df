// One sentence, what is wrong and what to do, the tiers, who holds what.

import { h, clock, dot, plural } from "./dom.js";

export function now({ status }) {
  if (!status) return [h("p.soft.pad", null, "Asking the hosts.")];
  if (!status.ready) return [h("p.soft.pad", null, `Asking ${plural(status.hosts.length, "host")}.`)];
  remember(status);
  const state = status.healthy ? "ok" : status.regions.some((r) => r.not_served.length) ? "down" : "warning";
  return [
    h(`section.live.sentence.${state}`, { "aria-live": "polite" }, h("h1", null, status.sentence)),
    status.file_error ? h("section.refusal", null, h("b", null, "The cloud file is wrong; what is shown is of the last one that was not. "), status.file_error.what, status.file_error.why ? h("pre.why", null, status.file_error.why) : null) : null,
    status.problems.length ? findings("What is wrong", causesFirst(status), "down") : null,
    status.warnings.length ? findings("What may become wrong", status.warnings, "warning") : null,
    h("div.columns", { class: "live" }, status.regions.map((region) => [
      section(status, region, "Tiers", h("ul.tiers", null, region.tiers.map((tier) =>
        h("li", { "data-key": tier.name }, dot(tier.state), h("b", null, tier.name), h("span.soft", null, tier.text))))),
      section(status, region, "Hosts", hosts(status.hosts.filter((host) => host.region === region.name))),
      region.galera.length ? section(status, region, "Galera", table(["host", "role", "state", "size", "seqno", "queue"], region.galera.map((g) =>
        [g.host, g.role, h(`span${g.ok ? "" : ".bad"}`, null, g.state), known(g.size), known(g.seqno), known(g.queue)]))) : null,
      region.brokers.length ? section(status, region, "RabbitMQ", [
        table(["host", "answers", "sees running", "leads", "alarms"], region.brokers.map((b) =>
          [b.host, h(`span${b.ok ? "" : ".bad"}`, null, b.ok ? "yes" : "no"), b.running === null ? "–" : `${b.running} of ${b.of}`, b.leads, b.alarms.join(", ") || "none"])),
        h("p.soft", null, `${plural(region.queues.all, "replicated queue")}, ${region.queues["without quorum"]} without quorum, ${region.queues["with missing members"]} with missing members`)]) : null,
      region.backends.length ? section(status, region, "Backends, as the VIP's load balancer sees them", table(["service", "up", "not up"], region.backends.map((b) =>
        [b.name, `${b.up}\u00a0of\u00a0${b.of}`, b.down.length ? h("span.bad", null, b.down.join(", ")) : h("span.soft", null, b.up < b.of ? "the others, on purpose: one takes the writes" : "")]))) : null,
      section(status, region, "VIPs", h("dl.pairs", null, Object.entries(region.vips).map(([name, address]) => [h("dt", null, name), h("dd", null, address)]),
        h("dt", null, "voters"), h("dd", null, region.voters.join(", ") || "none"))),
    ])),
  ];
}

const known = (count) => (count === null ? "–" : count.toLocaleString("en"));
const section = (status, region, title, body) =>
  h("section", { "data-key": `${region.name} ${title}` }, h("h2", null, status.regions.length > 1 ? `${region.name}: ${title}` : title), body);

const COMMAND = /^(fournines|journalctl|systemctl|rabbitmq|mariadb|openstack|chronyc|pcs|crm|ss|ip|df|free) ?/;

function findings(title, list, state) {
  return h("section.live.findings.timed", { "data-key": title }, h("h2", null, title), h("ul", null, list.map((p) =>
    h(`li${p.follows ? ".follows" : ""}`, { "data-key": keyOf(p), title: p.follows ? `follows from ${p.follows}` : false }, dot(state), h("div.what", null, p.where ? h("b", null, `${p.where}: `) : null, p.what),
      next(p), h("time.soft", { title: "as this page has seen it" }, sinceWhen(p))))));
}

export const next = (p) => h("div.next", null, "→ ", COMMAND.test(p.next) ? h("code", null, p.next) : p.next);

// What others say of a host that does not answer follows from that, and stands below it.
function causesFirst({ problems, hosts }) {
  const lost = new Set(hosts.filter((host) => host.state === "unknown").map((host) => host.name));
  const roots = problems.filter((p) => lost.has(p.where));
  const cause = (p) => (p === roots.find((r) => r.where === p.where) ? null : roots.find((r) => p.hosts.includes(r.where)));
  const follows = new Map(problems.map((p) => [p, cause(p)]).filter(([, root]) => root));
  return problems.filter((p) => !follows.has(p)).flatMap((p) => [p, ...problems.filter((q) => follows.get(q) === p).map((q) => ({ ...q, follows: p.where }))]);
}

// The same finding, whatever it counts just now.
export const keyOf = (p) => `${p.where} ${p.what.replace(/\d+(\.\d+)?/g, "0")}`;

// Since when each is there, as far as this page has seen: what was there when it began to look is older than that.
let looked = null;
let began = new Map();
function remember(status) {
  const first = (looked ??= status.at) === status.at;
  began = new Map([...status.problems, ...status.warnings].map((p) => [keyOf(p), began.get(keyOf(p)) || { at: status.at, first }]));
}
const sinceWhen = (p) => { const { at, first } = began.get(keyOf(p)); return `${first ? "before" : "since"} ${clock(at)}`; };

// Many hosts are told by those that are not well, and a count.
function hosts(rows) {
  const odd = rows.length > 12 ? rows.filter((r) => r.state !== "ok" || r.marks.length) : rows;
  return [
    rows.length > 12 ? h("p.soft", null, `${rows.filter((r) => r.state === "ok").length.toLocaleString("en")} of ${plural(rows.length, "host")} are well`) : null,
    h("ul.hosts", null, odd.slice(0, 40).map((r) => h("li", { "data-key": r.name }, dot(r.state),
      h("a", { href: `#map/${r.name}` }, r.name), r.marks.map((m) => h("span.mark", null, m)), h("span.soft", null, r.text || (r.age === null ? "" : `heard ${r.age.toFixed(1)} s ago`))))),
    odd.length > 40 ? h("a", { href: "#map" }, `${odd.length - 40} more`) : null,
  ];
}

export function table(columns, rows) {
  const times = {};
  const key = (cell) => (typeof cell === "string" ? `${cell} ${(times[cell] = (times[cell] || 0) + 1)}` : false);
  return h("div.scroll", null, h("table", null,
    h("thead", null, h("tr", null, columns.map((c) => h("th", { scope: "col" }, c)))),
    h("tbody", null, rows.map((row) => h("tr", { "data-key": key(row[0]) }, row.map((cell, i) => h(i ? "td" : "th", i ? { "data-label": columns[i] } : { scope: "row" }, cell)))))));
}
