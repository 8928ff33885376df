// Signing in, the bar, which view is shown, and the keyboard.

import { get, post, call, useToken } from "./api.js";
import { h, on, paint, ago } from "./dom.js";
import { Live } from "./live.js";
import { now } from "./now.js";
import { map, panel, closePanel } from "./map.js";
import { change } from "./change.js";
import { prove } from "./prove.js";
import { operations } from "./operations.js";
import { availability } from "./availability.js";
import { handlers } from "./handlers.js";
import { logs } from "./logs.js";
import { design } from "./design.js";
import { ask, refused } from "./asking.js";

const STALE = 3; // seconds
const VIEWS = [
  ["now", "Now", now], ["map", "Map", map], ["change", "Change", change], ["prove", "Prove", prove],
  ["operations", "Operations", operations], ["availability", "Availability", availability], ["handlers", "Handlers", handlers],
  ["logs", "Logs", logs], ["design", "Design", design],
];

const state = { session: null, status: null, jobs: [], live: null, note: "", draw, known: {} };
const main = document.getElementById("main");
const bar = document.getElementById("bar");
const route = () => VIEWS.find(([name]) => location.hash.slice(1).split("/")[0] === name) || VIEWS[0];

let drawn = "";
function draw() {
  if (!state.session) return;
  drawBar();
  const [name, title, view] = route();
  if (drawn !== name) {
    main.replaceChildren();
    drawn = name;
    document.title = `${title} · ${state.session.cloud}`;
    bar.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  }
  paint(main, view(state));
  panel(state);
  age();
}

let waiting = false;
function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function drawBar() {
  const { status, session, jobs } = state;
  const running = jobs.filter((job) => job.state === "running");
  const [current] = route();
  paint(bar, [
    h("div.line", null,
      h("b.cloud", null, session.cloud),
      h("span.age", { id: "age" }),
      running.length ? h("a.chip", { href: "#operations" }, `${running.map((job) => job.kind).join(", ")} runs`) : status?.lock ? h("span.chip", { title: status.lock }, "held by another run") : null,
      h("span.grow"),
      h("span.soft.who", null, `${session.name}, ${session.role}`),
      h("button.plain", { "data-do": "keys", title: "Keyboard (?)" }, "?"),
      h("button.plain", { "data-do": "sign-out" }, "Sign out"),
    ),
    h("nav", { "aria-label": "Views" }, VIEWS.map(([name, title], i) =>
      h("a", { href: `#${name}`, "aria-current": name === current ? "page" : false, title: `${title} (${i + 1})` }, title))),
    h("p.notice", { id: "stale", role: "status", hidden: true }),
    state.note ? h("p.notice", { role: "status" }, state.note) : null,
  ]);
}

function age() {
  if (!state.session || !state.live) return;
  const seconds = state.live.seconds();
  const stale = seconds > STALE;
  document.body.classList.toggle("stale", stale);
  const shown = document.getElementById("age");
  if (shown) {
    shown.textContent = seconds === Infinity ? "connecting" : stale ? `${ago(seconds)} old` : `live, ${seconds.toFixed(1)} s`;
    shown.classList.toggle("bad", stale && seconds !== Infinity);
  }
  const notice = document.getElementById("stale");
  if (notice) {
    notice.hidden = !stale || seconds === Infinity;
    notice.textContent = `What is shown was true ${ago(seconds)} ago. ${state.broken ? "The server does not answer; connecting again." : "No host answers the server."}`;
  }
}
setInterval(age, 250);

function heard(kind, data) {
  if (kind === "signed-out") return signIn("Your session has ended.");
  if (kind === "broken") state.broken = true;
  if (kind === "hello") {
    state.broken = false;
    if (data.version !== state.session.version) state.note = `The server is now fournines ${data.version}: reload this page.`;
  }
  if (kind === "status") state.status = data;
  if (kind === "jobs") state.jobs = data;
  drawSoon();
}

function signIn(why = "") {
  state.live?.stop();
  Object.assign(state, { session: null, live: null, status: null, jobs: [], known: {}, broken: false });
  document.body.classList.remove("stale");
  document.title = "fournines";
  bar.replaceChildren();
  closePanel();
  drawn = "";
  main.replaceChildren(h("form.sign-in", { "data-do": "sign-in", autocomplete: "on" },
    h("h1", null, "fournines"),
    why ? h("p.notice", { role: "status" }, why) : null,
    h("p.refusal", { id: "why", role: "alert", hidden: true }),
    h("label", null, "User", h("input", { name: "user", autocomplete: "username", autofocus: true })),
    h("label", null, "Password", h("input", { name: "password", type: "password", autocomplete: "current-password" })),
    h("label", null, "Domain", h("input", { name: "domain", value: "Default" })),
    h("button.main", { type: "submit" }, "Sign in"),
    h("details", null, h("summary", null, "Keystone is down, or not there yet"),
      h("label", null, "Break-glass token", h("input", { name: "token", type: "password", autocomplete: "off" })),
      h("p.soft", null, "The file with the token is named where `fournines serve` was started.")),
  ));
  main.querySelector("input").focus();
}

on("sign-in", async (_, form) => {
  const { user, password, domain, token } = Object.fromEntries(new FormData(form));
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    begin(await post("/v1/session", token ? { token } : { user, password, domain }));
  } catch (error) {
    const why = form.querySelector("#why");
    why.hidden = false;
    why.replaceChildren(...refused(error.error));
  } finally {
    button.disabled = false;
  }
});
on("sign-out", async () => {
  await call("DELETE", "/v1/session").catch(() => {});
  signIn();
});
on("keys", () => ask({
  title: "Keyboard",
  body: [h("dl.keys", null, VIEWS.map(([, title], i) => [h("dt", null, h("kbd", null, `${i + 1}`)), h("dd", null, title)]),
    h("dt", null, h("kbd", null, "/")), h("dd", null, "Find a host"), h("dt", null, h("kbd", null, "Esc")), h("dd", null, "Close"), h("dt", null, h("kbd", null, "?")), h("dd", null, "This list"))],
}));

document.addEventListener("keydown", (event) => {
  if (!state.session || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { closePanel(); return draw(); }
  if (event.target.closest("input, select, textarea, dialog")) return;
  const number = Number(event.key);
  if (number >= 1 && number <= VIEWS.length) location.hash = VIEWS[number - 1][0];
  else if (event.key === "?") document.querySelector('[data-do="keys"]')?.click();
  else if (event.key === "/") {
    event.preventDefault();
    location.hash = "map";
    setTimeout(() => document.getElementById("find")?.focus(), 50);
  }
});
addEventListener("hashchange", () => { draw(); main.focus({ preventScroll: true }); scrollTo(0, 0); });

function begin(session) {
  state.session = session;
  state.note = "";
  useToken(session.csrf);
  main.replaceChildren();
  drawn = "";
  state.live = new Live(heard);
  draw();
}

get("/v1/session").then(begin, () => signIn());
