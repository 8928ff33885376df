// Errors, confirmations, and jobs: what several views share.

import { get, post } from "./api.js";
import { h, on } from "./dom.js";

export const refused = (error) => [
  h("b", null, error.what), error.where ? h("span.soft", null, ` ${error.where}`) : null,
  error.why ? h("pre.why", null, error.why) : null, error.next ? h("span.next", null, `→ ${error.next}`) : null,
].filter(Boolean);

export const refusal = (error) => h("div.refusal", { role: "alert" }, refused(error));

// A dialog. Resolves to the form's values when it is confirmed, else to null.
export function ask({ title, body, confirm = "", danger = false, typed = "" }) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const name = typed ? h("label", null, `Type ${typed} to go on`, h("input", { name: "typed", autocomplete: "off", autofocus: true })) : null;
    const go = confirm ? h(`button${danger ? ".danger" : ".main"}`, { type: "submit", disabled: Boolean(typed), autofocus: !typed }, confirm) : null;
    const form = h("form", { method: "dialog" }, h("h2", null, title), body, name,
      h("div.buttons", null, h("button", { type: "button", class: "cancel" }, confirm ? "Cancel" : "Close"), go));
    dialog.replaceChildren(form);
    name?.querySelector("input").addEventListener("input", (event) => { go.disabled = event.target.value !== typed; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.returnValue = "yes";
      dialog.close("yes");
    });
    form.querySelector(".cancel").addEventListener("click", () => dialog.close(""));
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null);
    dialog.returnValue = "";
    dialog.showModal();
  });
}

// What is fetched once for a view, and again when `stamp` changes. Draws when it comes.
export function fetched(state, name, path, stamp = "") {
  const known = (state.known[name] ||= {});
  if (known.path !== path || known.stamp !== stamp) {
    Object.assign(known, { path, stamp, error: null });
    get(path).then(
      (value) => { if (known.path === path) { known.value = value; state.draw(); } },
      (error) => { if (known.path === path) { known.error = error.error; state.draw(); } },
    );
  }
  return known;
}

// A job that is looked at: its progress is asked for while it runs.
export function watched(state, id) {
  const known = (state.known[`job ${id}`] ||= { events: [], seen: 0, job: null, result: null });
  if (!known.asking && !(known.job && known.job.state !== "running")) {
    known.asking = true;
    const again = async () => {
      try {
        const page = await get(`/v1/jobs/${encodeURIComponent(id)}?since=${known.seen}`);
        known.events.push(...page.events);
        if (known.events.length > 6000) known.events.splice(0, known.events.length - 5000);
        Object.assign(known, { seen: page.seen, job: page.job, result: page.result, error: null });
      } catch (error) {
        known.error = error.error;
        if (error.status === 404 || error.status === 401) { known.asking = false; return state.draw(); }
      }
      state.draw();
      if (state.session && (!known.job || known.job.state === "running")) setTimeout(again, 400);
      else known.asking = false;
    };
    again();
  }
  return known;
}

// Begins a job; resolves to it, or shows why not.
export async function start(kind, body) {
  try {
    return await post(`/v1/${kind}`, body);
  } catch (error) {
    await ask({ title: "This was refused", body: [refusal(error.error)] });
    return null;
  }
}

export const SIGN = { running: "…", done: "✓", failed: "✗", cancelled: "■", interrupted: "!" };
export const outcome = (job) => h(`span.outcome.${job.state}`, null, `${SIGN[job.state] || ""} ${job.state}`);

export const may = (state, role) => {
  const roles = ["reader", "operator", "admin"];
  return roles.indexOf(state.session.role) >= roles.indexOf(role);
};

on("cancel-job", async (id) => {
  if (!(await ask({ title: "Cancel this job?", body: [h("p", null, "What was struck is healed first; what was changed stays, and a plan continues it.")], confirm: "Cancel the job", danger: true }))) return;
  await post(`/v1/jobs/${encodeURIComponent(id)}/cancel`).catch((error) => ask({ title: "This was refused", body: [refusal(error.error)] }));
});
