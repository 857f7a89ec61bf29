import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** The servers under measurement: new ones for each work, or, where only its running is shown, the same for all. */
export class Servers {
  #backing;
  #profile;
  #keep;
  #kept = new Map();
  #runs = 0;

  /** @param options `profile`: a folder; `keep`: whether servers serve on in the next work */
  constructor({ backing, profile, keep }) {
    this.#backing = backing;
    this.#profile = profile;
    this.#keep = keep;
  }

  async start(peer, instances) {
    const kept = this.#kept.get(peer);
    if (kept) return kept;
    const runId = `run${++this.#runs}`;
    const profile = this.#profile && join(this.#profile, `${runId}-${peer.name.replaceAll(/\W+/g, '-')}`);
    if (profile) mkdirSync(profile, { recursive: true });
    const running = await peer.start({ backing: this.#backing, instances, profile, runId });
    if (this.#keep) this.#kept.set(peer, running);
    return running;
  }

  /** The work is done with them. */
  async done(running) {
    if (!this.#keep) await running.stop();
  }

  async stop() {
    await Promise.all([...this.#kept.values()].map((running) => running.stop()));
  }
}
