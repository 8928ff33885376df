// Alerts that fire, what handlers are for, what they would do now, what they did and what stopped them.

import { h, on, dot, moment, plural } from "./dom.js";
import { post } from "./api.js";
import { ask, fetched, may, refusal } from "./asking.js";
import { table } from "./now.js";

const tick = (seconds) => String(Math.floor(Date.now() / 1000 / seconds));
const span = (s) => (s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);
let resumed = 0;

export function handlers(state) {
  const known = fetched(state, "handlers", "/v1/handlers", `${tick(5)} ${resumed}`);
  const page = known.value;
  const unwatched = page ? Object.entries(page.watched).filter(([, runs]) => !runs).map(([region]) => region) : [];
  return [
    known.error ? refusal(known.error) : null,
    unwatched.length ? h("section.sentence.warning", null, h("h1", null, `No watch runs${Object.keys(page.watched).length > 1 ? ` in ${unwatched.join(", ")}` : ""}: handlers do nothing`), h("p.next", null, "→ ", h("code", null, "fournines watch CLOUD"), ", on a machine outside the cloud")) : null,
    page?.stopped.length ? h("section.findings", null, h("h2", null, "Stopped until an operator has looked"), h("ul", null, page.stopped.map((s) => h("li", null, dot("warning"), h("div", null, h("b", null, s.handler), ` about ${s.condition}: ${s.why}`), h("span.grow"),
      h("button", { "data-do": "resume", "data-arg": s.handler, disabled: !may(state, "admin"), title: may(state, "admin") ? false : "takes the role admin" }, "Resume …"))))) : null,
    alerts(state),
    foreseen(state),
    page ? h("section", null, h("h2", null, "Handlers"), table(["handler", "when", "it does", "limits", "state"], page.handlers.map((one) => [
      one.name, h("div", { title: one.means }, h("code", null, one.when), ` ${[...one.of, ...one.hosts.map((x) => `on ${x}`)].join(", ")}`, h("div.soft", null, when(one))),
      one.do.map((d) => (d === "plan" ? `plan ${one.plan}` : d === "notify" && one.receivers.length ? `notify ${one.receivers.join(", ")}` : d)).join(", then "),
      h("span.soft", null, `${one.limit} in ${span(one.per)}; helps within ${span(one.settle)}`),
      h("span", null, !one.enabled ? "off" : one.dry_run ? "dry run" : page.stopped.some((s) => s.handler === one.name) ? h("span.bad", null, "stopped somewhere") : "acts", one.shipped ? h("span.soft", null, ", every cloud's") : null)]))) : null,
    acted(state),
  ];
}

const when = (one) => [one.lasts ? `lasts ${span(one.lasts)}` : "", one.times > 1 ? `${one.times} times within ${span(one.within)}` : ""].filter(Boolean).join(", ") || "at once";

function alerts(state) {
  const known = fetched(state, "alerts", "/v1/alerts", tick(30));
  if (known.error) return h("section", null, h("h2", null, "Alerts"), refusal(known.error));
  if (!known.value) return h("section", null, h("h2", null, "Alerts"), h("p.soft", null, "Asking Alertmanager."));
  const { firing, rules, asked, failures } = known.value;
  return h("section", null, h("h2", null, "Alerts"),
    Object.entries(failures).map(([region, why]) => h("p.soft", null, dot("unknown"), ` ${region}: what fires is not known: ${why}`)),
    firing.length ? table(["alert", "severity", "host", "since", ""], firing.map((f) => [h("b", { title: rules.find((r) => r.name === f.name)?.means || false }, f.name), h(`span${f.severity === "critical" ? ".bad" : ""}`, null, f.severity), f.host, moment(Date.parse(f.since) / 1000), h("span", null, f.summary, f.state === "active" ? null : h("span.soft", null, ", held back"))])) : Object.keys(asked).length ? h("p", null, dot("ok"), ` None fires, says ${Object.values(asked).join(", ")}.`) : null,
    h("details", null, h("summary", null, `${plural(rules.length, "rule")}, made of this cloud's design`), table(["alert", "severity", "holds for", "what it means, and what to run"], rules.map((r) => [r.name, r.severity, `${r.wait} s`, h("div", null, r.means, h("div.next", null, "→ ", h("code", null, r.run)))]))));
}

function foreseen(state) {
  if (!may(state, "operator")) return null;
  const known = fetched(state, "foreseen", "/v1/handlers/foreseen", `${tick(5)} ${resumed}`);
  if (known.error) return refusal(known.error);
  if (!known.value) return null;
  const list = known.value.foreseen;
  return h("section", null, h("h2", null, "Dry run: what they would do about this moment"), list.length ? table(["handler", "about", "it would", "what keeps it from it"], list.map((f) => [f.handler, h("span", { title: f.condition }, f.text || f.condition), f.do.join(", then "), f.holds ? h("span.soft", null, f.holds) : h("b", null, "nothing: it acts")])) : h("p", null, dot("ok"), " Nothing is there that a handler is for."));
}

const OUTCOME = { ok: "done", failed: "failed", "dry run": "cancelled", begins: "running", remark: "" };
function acted(state) {
  const known = fetched(state, "actions", "/v1/handlers/actions", `${tick(3)} ${resumed}`);
  if (known.error) return refusal(known.error);
  if (!known.value) return null;
  const list = known.value.actions;
  return h("section", null, h("h2", null, "What acted, why, and whether it helped"), list.length ? table(["at", "handler", "about", "did", "outcome", ""], list.slice(0, 200).map((a) => [
    moment(a.at), a.handler, h("span", { title: a.condition.text || false }, [a.condition.when, [a.condition.of, a.condition.host].filter(Boolean).join(" of ")].filter(Boolean).join(" ")), a.do || "", h(`span.outcome.${OUTCOME[a.outcome] ?? ""}`, null, a.outcome), a.text])) : h("p.soft", null, "Nothing yet."));
}

on("resume", async (handler) => {
  if (!(await ask({ title: `Let ${handler} act again?`, body: [h("p", null, "It had been stopped because what it did could not be done or did not help. See to the cause first.")], confirm: "Resume", danger: true }))) return;
  try {
    await post(`/v1/handlers/${encodeURIComponent(handler)}/resume`);
    resumed += 1;
  } catch (error) {
    await ask({ title: "This was refused", body: [refusal(error.error)] });
  }
});
