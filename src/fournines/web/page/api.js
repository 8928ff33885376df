// Every request to the server. An error has what, where, why and next, as everywhere in fournines.

export class Refused extends Error {
  constructor(status, error) {
    super(error.what);
    this.status = status;
    this.error = error;
  }
}

let csrf = "";
export const useToken = (token) => { csrf = token; };

export async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf) headers["x-csrf-token"] = csrf;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refused(0, { what: "the server does not answer", where: location.host, why: "", next: "see whether `fournines serve` runs" });
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, said.error || { what: `the server answers ${answer.status}`, where: path, why: "", next: "" });
  return said;
}
export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
