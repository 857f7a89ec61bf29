import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { REPOSITORY } from '../support/built-server.js';
import type { Frame } from '../support/chat-client.js';
import { Random, seedsOf } from '../support/seeded.js';

const MESSAGES = 1_000;
const [seed] = seedsOf(1);

/** `npm start` in a clean copy of the checkout. Its packages are linked: that `npm ci` works, whoever runs these tests has just shown. */
class Checkout {
  readonly folder = mkdtempSync(join(tmpdir(), 'parley-readme-'));
  #child: ChildProcess | undefined;
  #output = '';

  constructor() {
    const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: REPOSITORY, encoding: 'utf8', maxBuffer: 10_000_000 });
    for (const file of stdout.split('\0').filter(Boolean)) cpSync(join(REPOSITORY, file), join(this.folder, file));
    symlinkSync(join(REPOSITORY, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** @returns the port */
  async start(): Promise<number> {
    this.#output = '';
    // A group of its own, so that all of it can be killed at once.
    this.#child = spawn('npm', ['start'], {
      cwd: this.folder,
      detached: true,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', LIMITS: 'off' },
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on('data', (text) => (this.#output += String(text)));
    for (;;) {
      const port = /API +http:\/\/[^\s]+:(\d+)\/v1/.exec(this.#output)?.[1];
      if (port !== undefined) return Number(port);
      if (this.#child.exitCode !== null) throw new Error(`npm start ended:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    process.kill(-child.pid!, signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  /** The command that the start-up lines show, as it stands. */
  get tokenCommand(): string {
    return /curl -s .*/.exec(this.#output)![0];
  }
}

/** A client with nothing but `ws` that may lose its socket at any time, and goes on from the last event that it has. */
class Talker {
  readonly events: Frame[] = [];
  readonly acks = new Map<string, number>();
  #socket!: WebSocket;
  #epoch = '';
  #lastSeq = 0;
  #id = 0;
  readonly #unacked = new Map<string, string>();
  readonly #clientIds = new Map<number, string>();

  constructor(
    private readonly port: number,
    private readonly token: string,
    private readonly room: string,
  ) {}

  async connect(): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/ws`, { headers: { authorization: `Bearer ${this.token}` } });
    this.#socket = socket;
    this.#clientIds.clear();
    const following = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        if (socket === this.#socket && this.#hear(JSON.parse(data.toString()) as Frame)) resolve();
      });
    });
    await once(socket, 'open');
    this.#command('room.join', { room: this.room });
    this.#command('room.subscribe', { room: this.room, ...(this.#epoch && { since: { epoch: this.#epoch, seq: this.#lastSeq } }) });
    await following;
    for (const [clientId, text] of this.#unacked) this.#send(clientId, text);
  }

  say(text: string): void {
    const clientId = randomUUID();
    this.#unacked.set(clientId, text);
    this.#send(clientId, text);
  }

  drop(): void {
    this.#socket.terminate();
  }

  get isDone(): boolean {
    return this.#unacked.size === 0 && this.events.filter(({ event }) => event === 'message.created').length === 2 * MESSAGES;
  }

  #send(clientId: string, text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#clientIds.set(this.#command('message.send', { room: this.room, clientId, text }), clientId);
  }

  #command(event: string, data: object): number {
    this.#socket.send(JSON.stringify({ id: ++this.#id, event, data }));
    return this.#id;
  }

  /** @returns whether this was the ack of the subscription */
  #hear(frame: Frame): boolean {
    if (frame.event === 'error') throw new Error(JSON.stringify(frame));
    if (frame.seq !== undefined) this.#take(frame);
    const clientId = frame.event === 'ack' ? this.#clientIds.get(frame.id!) : undefined;
    if (clientId !== undefined) {
      this.acks.set(clientId, frame.data.seq as number);
      this.#unacked.delete(clientId);
    }
    if (frame.event !== 'ack' || frame.data.events === undefined) return false;
    if (this.#epoch !== '' && !frame.data.recovered) throw new Error('what was missed was not replayed');
    if (this.#epoch === '') this.#lastSeq = frame.data.headSeq as number;
    this.#epoch = frame.data.epoch as string;
    for (const event of frame.data.events as Frame[]) this.#take(event);
    return true;
  }

  #take(frame: Frame): void {
    this.events.push(frame);
    this.#lastSeq = frame.seq!;
  }
}

describe('the README, followed in a clean checkout', () => {
  const checkout = new Checkout();
  let port: number;
  const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

  beforeAll(async () => {
    port = await checkout.start();
  }, 90_000);

  afterAll(async () => {
    await checkout.kill('SIGKILL');
    rmSync(checkout.folder, { recursive: true, force: true });
  });

  const bash = (script: string) => {
    const { status, stdout, stderr } = spawnSync('bash', ['-ec', script], { cwd: checkout.folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${script}\n${stdout}\n${stderr}`);
    return stdout.trim();
  };
  const block = (start: string) => {
    const found = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text!).find((text) => text.includes(start));
    return found!.replaceAll('localhost:3000', `localhost:${port}`);
  };

  it('gives a token by the command that the start shows', () => {
    expect(JSON.parse(bash(checkout.tokenCommand))).toMatchObject({ accessToken: expect.any(String) as unknown });
  });

  it(`chats, is killed and is whole again (PARLEY_SEED=${seed})`, async () => {
    const tour = block('API=http://localhost:3000/v1');
    const [ada, grace, room] = bash(`${tour}\necho "$ADA $GRACE $ROOM"`).split('\n').at(-1)!.split(' ') as [string, string, string];
    const sends = bash(`API=http://localhost:${port}/v1 ADA=${ada} ROOM=${room}\n${block('for attempt in 1 2')}`).split('\n');
    expect(JSON.parse(sends[1]!)).toEqual(JSON.parse(sends[0]!));

    const talkers = [new Talker(port, ada, room), new Talker(port, grace, room)];
    for (const talker of talkers) await talker.connect();
    const random = new Random(seed!);
    for (let i = 0; i < MESSAGES; i++) {
      for (const [index, talker] of talkers.entries()) talker.say(`${index}: ${i}`);
      if (random.next() < 0.02) {
        talkers[1]!.drop();
        await talkers[1]!.connect();
      } else if (i % 10 === 0) {
        await new Promise(setImmediate);
      }
    }
    while (!talkers.every((talker) => talker.isDone)) await new Promise((resolve) => setTimeout(resolve, 20));

    const before = await history(ada, room);
    const heads = before.map(({ seq }) => seq);
    for (const talker of talkers) {
      const messages = talker.events.filter(({ event }) => event === 'message.created');
      expect(messages.map(({ data }) => data as object)).toEqual(before.slice(-2 * MESSAGES));
      expect(talker.events.map(({ seq }) => seq)).toEqual(talker.events.map((_, index) => talker.events[0]!.seq! + index));
      for (const [clientId, seq] of talker.acks) expect(before.find((message) => message.seq === seq)!.clientId).toBe(clientId);
      expect(talker.acks.size).toBe(MESSAGES);
    }
    expect(new Set(heads).size).toBe(heads.length);
    for (const talker of talkers) talker.drop();

    await checkout.kill('SIGKILL');
    port = await checkout.start();
    expect(await history(ada, room)).toEqual(before);
    expect(await checkout.kill('SIGTERM')).toBe(0);
  }, 120_000);

  async function history(token: string, room: string): Promise<{ seq: number; clientId: string }[]> {
    const messages: { seq: number; clientId: string }[] = [];
    for (;;) {
      const url = `http://127.0.0.1:${port}/v1/rooms/${room}/messages?after=${messages.at(-1)?.seq ?? 0}&limit=200`;
      const page = (await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).json()) as {
        messages: { seq: number; clientId: string }[];
        hasAfter: boolean;
      };
      messages.push(...page.messages);
      if (!page.hasAfter) return messages;
    }
  }
});
