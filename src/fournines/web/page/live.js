// The stream of events. Connects again by itself, also when a connection is silent rather than closed; tells how old is
// what was heard last.

import { get } from "./api.js";

const SILENT = 4000; // ms: something comes each second
const AGAIN = 1000;

export class Live {
  constructor(handle) {
    this.handle = handle;
    this.heard = 0; // performance.now() of the last state
    this.age = 0; // seconds that it was old then
    this.last = 0;
    this.source = null;
    this.timer = setInterval(() => this.watch(), 500);
    this.stopped = false;
    this.open();
  }

  open() {
    this.last = performance.now();
    const source = (this.source = new EventSource("/v1/events"));
    const heard = (name, act) => source.addEventListener(name, (event) => {
      this.last = performance.now();
      act(JSON.parse(event.data));
    });
    heard("hello", (data) => this.handle("hello", data));
    heard("status", (data) => {
      this.heard = performance.now();
      this.age = data.age;
      this.handle("status", data);
    });
    heard("jobs", (data) => this.handle("jobs", data));
    heard("bye", () => this.handle("signed-out"));
    source.onerror = () => this.broken();
  }

  broken() {
    if (this.stopped || this.waiting) return;
    this.source.close();
    this.waiting = true;
    this.handle("broken");
    setTimeout(async () => {
      this.waiting = false;
      if (this.stopped) return;
      try {
        await get("/v1/session");
        this.open();
      } catch (error) {
        if (error.status === 401) this.handle("signed-out");
        else this.broken();
      }
    }, AGAIN);
  }

  watch() {
    if (!this.waiting && performance.now() - this.last > SILENT) this.broken();
  }

  // Seconds since a host last said anything, as far as this page knows.
  seconds() {
    return this.heard ? this.age + (performance.now() - this.heard) / 1000 : Infinity;
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.source.close();
  }
}
