import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../support/built-server.js';
import type { Frame } from '../support/chat-client.js';
import { Checkout } from '../support/checkout.js';
import { Random, seedsOf } from '../support/seeded.js';
import { Talker } from '../support/talker.js';
import { Terminal } from '../support/terminal.js';
import { until } from '../support/until.js';

const MESSAGES = 1_000;
/** Sends under way, of each; what one misses while it is away stays far below what a replay may hold. */
const WINDOW = 50;
const CHAT_MS = 40_000;
/** By default, what the last client to be let go is given: nine tenths of DRAIN_MS. */
const LAST_DRAIN_MS = 9_000;
const [seed] = seedsOf(1);

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');
const [commands, tour] = [sectionOf('# Parley'), sectionOf('## A tour in five minutes')];
const [granting] = sectionOf('## The first administrator');

/** The shell blocks between a heading and the next. */
function sectionOf(heading: string): string[] {
  const section = readme.slice(readme.indexOf(`${heading}\n`) + heading.length).split('\n## ')[0]!;
  return [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!.trim());
}

/** What is wrong with these events as a room's whole log, in order; undefined: nothing. */
function flawOf(events: readonly Frame[], log: readonly Frame[]): string | undefined {
  const wrong = events.findIndex(({ seq }, index) => seq !== index + 1);
  if (wrong >= 0) return `event ${wrong + 1} has the seq ${events[wrong]!.seq}`;
  if (events.length !== log.length) return `${events.length} events of ${log.length}`;
  const other = events.findIndex((event, index) => JSON.stringify(event) !== JSON.stringify(log[index]));
  return other < 0 ? undefined : `not the log's: ${JSON.stringify(events[other])}`;
}

// One story, whose chapters build on each other.
describe(`the README, followed in a clean checkout (PARLEY_SEED=${seed})`, () => {
  const random = new Random(seed!);
  let checkout: Checkout;
  let terminal: Terminal;
  let startCommand: string;
  let port: number;
  let ada: string;
  let grace: string;
  let room: string;
  let talkers: [Talker, Talker];
  /** How many messages the room has once the talkers have said theirs. */
  let total: number;

  beforeAll(async () => {
    checkout = new Checkout();
    terminal = new Terminal(checkout.folder);
    startCommand = /^npm ci && (npm start) /m.exec(commands[0]!)![1]!;
    port = await checkout.start(startCommand);
  }, 90_000);

  afterAll(async () => {
    for (const talker of talkers ?? []) talker.drop();
    await terminal?.end();
    await checkout?.end();
  }, 60_000);

  const url = (path: string) => `http://127.0.0.1:${port}${path}`;
  const get = async (path: string, token: string) =>
    (await (await fetch(url(path), { headers: { authorization: `Bearer ${token}` } })).json()) as Record<string, unknown>;
  const here = (block: string) => block.replaceAll('localhost:3000', `localhost:${port}`);

  /** Runs a block that ends in the README's socket client, up to Ctrl-C. @returns the frames that it printed */
  async function client(block: string, typed: string[], isDone: (frames: Frame[]) => boolean): Promise<Frame[]> {
    const from = terminal.output.length;
    const lines = () => terminal.output.slice(from).split('\n').slice(0, -1);
    const frames = () => lines().map((line) => JSON.parse(line) as Frame);
    terminal.type(block);
    await terminal.shows(() => frames().some(({ data }) => data.headSeq !== undefined), 'the client follows the room');
    typed.forEach((line) => terminal.type(line));
    await terminal.shows(() => isDone(frames()), 'the client hears what the README says');
    const heard = frames();
    terminal.interrupt();
    expect(await terminal.run('true')).toBe('');
    return heard;
  }

  /** The room's log, from REST. */
  async function log(): Promise<Frame[]> {
    const events: Frame[] = [];
    for (;;) {
      const page = await get(`/v1/rooms/${room}/events?after=${events.length}&limit=500`, ada);
      events.push(...(page.events as Frame[]));
      if (events.length >= (page.headSeq as number)) return events;
    }
  }

  /** The room's messages, from REST. */
  async function history(): Promise<{ seq: number; sender: string; clientId: string; text: string }[]> {
    const messages: Awaited<ReturnType<typeof history>> = [];
    for (;;) {
      const page = await get(`/v1/rooms/${room}/messages?after=${messages.at(-1)?.seq ?? 0}&limit=200`, ada);
      messages.push(...(page.messages as typeof messages));
      if (page.hasAfter !== true) return messages;
    }
  }

  it.each([
    ['the curl of this machine, if it has one', undefined],
    ['the stand-in for it', true],
  ])('gives a token by the command that the start shows, by %s', async (_, standIn) => {
    const shown = /^ +(curl -s .*)$/m.exec(checkout.output)![1]!;
    const command = standIn ? shown.replace(/"ada-\w+"/, '"ada-again"') : shown; // a name can be taken once
    const shell = new Terminal(checkout.folder, standIn);
    try {
      const { accessToken } = JSON.parse(await shell.run(command)) as { accessToken: string };
      expect(await get('/v1/me', accessToken)).toMatchObject({ id: expect.any(String) as unknown });
    } finally {
      await shell.end();
    }
  });

  it('shows its pages where the README says', async () => {
    expect((await fetch(url('/docs'))).status).toBe(200);
  });

  it('does what the tour says, block by block', async () => {
    expect(tour).toHaveLength(4);
    const [register, follow, send, resume] = tour.map(here) as [string, string, string, string];
    room = await terminal.run(register);
    expect(room).toMatch(/^[0-9a-f-]{36}$/);
    [ada, grace] = (await terminal.run('echo $ADA $GRACE')).split(' ') as [string, string];

    const isTold = (frames: Frame[]) =>
      ['hello', 'room.added', 'message.created'].every((name) => frames.some(({ event }) => event === name)) &&
      frames.some(({ id }) => id === 3);
    const heard = await client(follow, ['Hello from a socket'], isTold);
    expect(heard).toHaveLength(6);
    expect(heard[0]!.event).toBe('hello');
    for (const id of [1, 2, 3]) expect(heard.find((frame) => frame.id === id)!.event).toBe('ack');
    expect(heard.find(({ event }) => event === 'message.created')!.data.text).toBe('Hello from a socket');

    const [first, second, page] = (await terminal.run(send)).split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(second).toEqual(first);
    expect((page!.messages as { text: string }[]).map(({ text }) => text)).toEqual(['Hello from a socket', 'Hello over REST']);

    const resumed = await client(resume, [], (frames) => frames.some(({ data }) => data.recovered !== undefined));
    const { data } = resumed.find((frame) => frame.data.recovered !== undefined)!;
    expect(data.recovered).toBe(true);
    expect(data.events).toEqual((await log()).slice(1));
    expect((data.events as Frame[]).map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it('makes its first administrator, beside the server on its embedded PostgreSQL', async () => {
    const [said, list] = (await terminal.run(granting!)).split('\n').slice(-2);
    expect(said).toMatch(/^"alan" is an administrator, /);
    expect((JSON.parse(list!) as { items: object[] }).items).toEqual([expect.objectContaining({ username: 'alan', roles: ['admin'] })]);
  });

  it(`carries ${MESSAGES} messages each way while one client loses its connection at random`, async () => {
    const { epoch } = (await get(`/v1/rooms/${room}`, ada)) as { epoch: string };
    total = (await history()).length + 2 * MESSAGES;
    talkers = [new Talker(ada, room, epoch), new Talker(grace, room, epoch)];
    const loser = talkers[1];
    let framesToLoss = 1 + random.below(80);
    loser.onFrame = () => {
      if (--framesToLoss > 0 || loser.fault !== undefined) return;
      framesToLoss = 1 + random.below(80);
      loser.drop(random.pick(['terminate', 'close']));
      setImmediate(() => loser.connect(port));
    };
    for (const talker of talkers) talker.connect(port);
    for (let index = 0; index < MESSAGES; index++) {
      for (const [who, talker] of talkers.entries()) talker.say(`${who}: ${index}`);
      const isFree = () => talkers.every((talker) => talker.unacked < WINDOW);
      if (!isFree()) await until(isFree, 'acks', CHAT_MS);
    }
    await until(() => talkers.every((talker) => talker.has(total)), 'both have it all', CHAT_MS);
    expect(loser.sockets).toBeGreaterThan(20);
    expect(loser.replayed).toBeGreaterThan(20);
    expect(talkers[0].sockets).toBe(1);
    loser.onFrame = () => {};
  }, 60_000);

  it('leaves both with exactly the history, in order', async () => {
    const events = await log();
    for (const talker of talkers) expect(flawOf(talker.events, events)).toBeUndefined();
    const messages = await history();
    expect(messages).toEqual(events.filter(({ event }) => event === 'message.created').map(({ data }) => data as object));
    for (const [who, talker] of talkers.entries()) {
      const said = messages.filter(({ text }) => text.startsWith(`${who}: `));
      expect(said.map(({ text }) => text)).toEqual(Array.from({ length: MESSAGES }, (_, index) => `${who}: ${index}`));
      const acks = [...talker.acks.values()].sort((a, b) => a.seq - b.seq);
      const sent = acks.map(({ seq, clientId, text }) => ({ seq, sender: talker.userId, clientId, text }));
      expect(said.map(({ seq, sender, clientId, text }) => ({ seq, sender, clientId, text }))).toEqual(sent);
    }
  });

  it('would tell a hole, a double, a swap and another text', async () => {
    const events = await log();
    const at = 1 + random.below(events.length - 2);
    const [before, [event], after] = [events.slice(0, at), events.slice(at), events.slice(at + 1)];
    expect(flawOf([...before, ...after], events)).toBeDefined();
    expect(flawOf([...before, event!, event!, ...after], events)).toBeDefined();
    expect(flawOf([...before, after[0]!, event!, ...after.slice(1)], events)).toBeDefined();
    expect(flawOf([...before, { ...event!, data: { ...event!.data, text: 'another' } }, ...after], events)).toBeDefined();
    expect(flawOf(events.slice(0, -1), events)).toBeDefined();
  });

  it('is whole after kill -9, at a moment when messages are under way', async () => {
    const before = await log();
    const [speaker, listener] = talkers;
    let killed: Promise<unknown> | undefined;
    speaker.onFrame = ({ event }) => {
      if (event === 'ack') killed ??= checkout.killServer('SIGKILL');
    };
    for (let index = 0; index < WINDOW; index++) speaker.say(`late: ${index}`);
    await until(() => killed !== undefined, 'an ack');
    expect(await killed).not.toBe(0);
    await until(() => talkers.every(({ fault }) => fault !== undefined), 'both have lost the server');
    const acked = [...speaker.acks.values()].filter(({ text }) => text.startsWith('late: '));
    expect(acked).not.toEqual([]);

    port = await checkout.start(startCommand);
    const after = await log();
    expect(after.slice(0, before.length)).toEqual(before);
    for (const { seq, clientId } of acked) expect(after[seq - 1]!.data.clientId).toBe(clientId);
    for (const talker of talkers) talker.connect(port);
    await until(() => talkers.every((talker) => talker.has(total + WINDOW)), 'both have it all');
    const events = await log();
    for (const talker of [speaker, listener]) expect(flawOf(talker.events, events)).toBeUndefined();
    const late = events.map(({ data }) => data.text as string | undefined).filter((text) => text?.startsWith('late: '));
    expect(late).toEqual(Array.from({ length: WINDOW }, (_, index) => `late: ${index}`));
  }, 60_000);

  it('knows the messages from before it was killed: sent again, they are duplicates with the same seq', async () => {
    const before = await log();
    for (const talker of talkers) {
      const old = [...talker.acks.values()];
      const again = [old[0]!, random.pick(old), old.at(-1)!];
      for (const { clientId, text } of again) talker.say(text, clientId);
      await until(() => talker.has(0), 'acks');
      for (const ack of again) expect(talker.acks.get(ack.clientId)).toEqual({ ...ack, duplicate: true });
    }
    expect(await log()).toEqual(before);
  });

  it('stops in good order when npm start is asked to, as soon as its clients have gone, and leaves no process', async () => {
    await terminal.end();
    for (const talker of talkers) talker.onFrame = ({ event }) => event === 'drain' && talker.drop('close');
    const asked = Date.now();
    expect(await checkout.stop('SIGTERM')).toBe(0);
    expect(Date.now() - asked).toBeLessThan(LAST_DRAIN_MS); // both have gone by themselves: nobody is waited for
    expect(checkout.processes).toEqual([]);
    for (const left of ['server.lock', 'postgres/cluster/postmaster.pid']) {
      expect([left, existsSync(join(checkout.folder, 'data', left))]).toEqual([left, false]);
    }
  });
});
