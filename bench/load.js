import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuMs, otherCoresTicks, quantile } from './measure.js';

/** The generator, seen from the bench. */
export class Load {
  #child = fork(new URL('./generator/process.js', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  #asked = new Map();
  #lastId = 0;

  constructor() {
    this.#child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`the generator ended with ${code}`));
    });
  }

  /** One of the actions in generator/process.js. */
  ask(action, args = {}) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#asked.set(id, { resolve, reject });
      this.#child.send({ id, action, args });
    });
  }

  stop() {
    this.#child.disconnect();
  }

  /**
   * What goes on in `seconds`, once it has gone on for `warmUp`.
   * @param processes servers whose CPU time is summed
   */
  async measure({ processes, seconds, warmUp }) {
    await delay(warmUp * 1_000);
    const from = await this.#snapshot(processes);
    await delay(seconds * 1_000);
    const to = await this.#snapshot(processes);
    const ms = to.atMs - from.atMs;
    return {
      deliveries: to.deliveries - from.deliveries,
      acked: to.acked - from.acked,
      seconds: ms / 1_000,
      serverMs: to.serverMs - from.serverMs,
      serverShare: (to.serverMs - from.serverMs) / ms,
      generatorShare: (to.cpuMs - from.cpuMs) / ms,
      othersShare: (to.others.busy - from.others.busy) / (to.others.all - from.others.all),
      p50: quantile(to.latenciesMs, 0.5),
      p99: quantile(to.latenciesMs, 0.99),
    };
  }

  async #snapshot(processes) {
    const serverMs = processes.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    return { ...(await this.ask('sample')), serverMs, others: otherCoresTicks() };
  }
}
