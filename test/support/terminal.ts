import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { REPOSITORY } from './built-server.js';
import { until } from './until.js';

/** A bash that takes what a reader would paste or type, and keeps what is written. Variables live on from one command to the next. */
export class Terminal {
  /** All that was written, errors too. */
  output = '';
  readonly #bash: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #commands = 0;

  /** @param standIn whether commands get our stand-in for curl; without it, where there is none */
  constructor(folder: string, standIn = spawnSync('curl', ['--version']).status !== 0) {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    // A group of its own, for a Ctrl-C that reaches what runs in it and not the tests.
    this.#bash = spawn('bash', ['--noprofile', '--norc'], { cwd: folder, detached: true, env });
    this.#ended = once(this.#bash, 'exit');
    this.#bash.stdin.on('error', () => {}); // ended: whoever waits for output is told
    for (const stream of [this.#bash.stdout, this.#bash.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.type('trap : INT'); // Ctrl-C ends the command, and not this bash
    if (standIn) this.type(`curl() { '${process.execPath}' '${join(REPOSITORY, 'test/support/curl.js')}' "$@"; }`);
  }

  /** Types lines, to bash or to the program that it runs. */
  type(text: string): void {
    this.#bash.stdin.write(`${text}\n`);
  }

  /** Pastes commands that end by themselves. @returns what they wrote, trimmed. @throws when the last of them fails */
  async run(commands: string): Promise<string> {
    const from = this.output.length;
    const mark = `done-${++this.#commands}`;
    this.type(`${commands}\necho "${mark}:$?:"`);
    const end = () => new RegExp(`^([^]*)${mark}:(\\d+):\n`).exec(this.output.slice(from));
    await this.shows(end, commands);
    const [, written, status] = end()!;
    if (status !== '0') throw new Error(`${commands}\nfailed by ${status}: ${written}`);
    return written!.trim();
  }

  /** Waits until what was written is as it should be. @throws with what was written, when it does not come to that */
  async shows(condition: () => unknown, what: string): Promise<void> {
    await until(condition, what).catch((error: Error) => {
      throw new Error(`${error.message}; the terminal shows:\n${this.output}`);
    });
  }

  /** Ctrl-C. */
  interrupt(): void {
    process.kill(-this.#bash.pid!, 'SIGINT');
  }

  async end(): Promise<void> {
    if (this.#bash.exitCode === null && this.#bash.signalCode === null) process.kill(-this.#bash.pid!, 'SIGKILL');
    await this.#ended;
  }
}
