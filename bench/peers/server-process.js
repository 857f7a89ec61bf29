import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { spawnOnServerCore } from '../cores.js';

const READY_MS = 60_000;
const PROBE = new URL('./probe.js', import.meta.url).href;

/** One measured server: a process on the servers' core, with the probe in it. */
export class ServerProcess {
  #child;
  #output = '';

  /**
   * @param options `{ script, env, preloads?, index?, profile? }`: index among the instances, and a folder for a CPU profile
   * Resolves when it has said its port.
   */
  static async start({ script, env, preloads = [], index = 0, profile }) {
    const server = new ServerProcess();
    const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
    const args = ['--expose-gc', ...profiling, ...[PROBE, ...preloads].flatMap((url) => ['--import', url]), fileURLToPath(script)];
    server.#child = spawnOnServerCore(index, process.execPath, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [server.#child.stdout, server.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (server.#output += text));
    }
    await server.#untilReady();
    return server;
  }

  get pid() {
    return this.#child.pid;
  }

  get port() {
    return Number(/:(\d+)\//.exec(this.#output)?.[1]);
  }

  /** What it wrote, on both streams. */
  get output() {
    return this.#output;
  }

  /** Asks what was loaded into it. */
  async ask(question) {
    this.#child.send(question);
    for (;;) {
      const [{ answer, value }] = await once(this.#child, 'message');
      if (answer === question) return value;
    }
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  async #untilReady() {
    const deadline = Date.now() + READY_MS;
    while (!(this.port > 0)) {
      if (this.#child.exitCode !== null || Date.now() > deadline) throw new Error(`a server did not start:\n${this.#output}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
