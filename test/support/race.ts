import { isDeepStrictEqual } from 'node:util';
import type { Message } from '../../src/protocol/index.js';
import type { ChatClient, ConnectOptions, Frame } from './chat-client.js';
import type { HttpAnswer } from './chat-server.js';
import { type Log, MessageCopy, problemsOf } from './followed-room.js';
import { RaceDevice } from './race-device.js';
import { Random } from './seeded.js';
import { until } from './until.js';
import { readLog, readMessages } from './whole-room.js';

/** A server, as a race needs it. */
export interface RaceServer {
  connect(user: string, options?: ConnectOptions): Promise<ChatClient>;
  http(user: string, method: string, path: string, body?: unknown): Promise<Pick<HttpAnswer, 'status' | 'text' | 'body'>>;
  room(owner: string, type: 'public' | 'private', members: string[]): Promise<string>;
}

const STEPS = 300;
const WEIGHTS = {
  send: 40,
  subscribe: 12,
  resume: 12,
  subscribeAll: 4,
  unsubscribe: 4,
  kick: 5,
  add: 14,
  join: 12,
  leave: 4,
  edit: 9,
  delete: 3,
  page: 3,
  reconnect: 2,
  ban: 0.5,
  unban: 2,
};

/**
 * One run: four users on six devices and an owner who looks on, in a private and a public room. What they do, and how far it overlaps, is
 * decided by the seed. With several servers, which share a database, devices and acts of the owner are spread over them.
 */
export class Race {
  readonly random: Random;
  readonly users: string[];
  readonly owner: string;
  readonly banned = new Set<string>();
  readonly problems: string[] = [];
  devices: RaceDevice[] = [];
  rooms: string[] = [];
  #pending = new Set<Promise<unknown>>();
  #sends = 0;

  constructor(
    seed: number,
    private readonly servers: readonly RaceServer[],
  ) {
    this.random = new Random(seed);
    this.owner = `own${seed}`;
    this.users = ['ann', 'bob', 'cid', 'dan'].map((name) => `${name}${seed}`);
  }

  async run(): Promise<void> {
    const first = this.users.slice(0, 2);
    const [server] = this.servers as [RaceServer];
    this.rooms = await Promise.all([server.room(this.owner, 'private', first), server.room(this.owner, 'public', first)]);
    const owners = [this.owner, ...this.users, ...this.users.slice(0, 2)];
    // A user's two devices are at two servers, where there are several.
    const serverOf = (index: number) => this.servers[(index > this.users.length ? index + 1 : index) % this.servers.length]!;
    this.devices = await Promise.all(owners.map((user, index) => RaceDevice.connect(serverOf(index), user)));
    await this.devices[0]!.subscribeAll(this.rooms, false);
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      await this.#pause();
    }
    await Promise.all(this.#pending);
  }

  /** Everybody who may follows each room once more, from where he was; then all have heard all that they are to hear. */
  async settle(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.subscribeAll(this.rooms, true)));
    const heads = await Promise.all(this.rooms.map(async (room) => (await readLog(this.servers[0]!, this.owner, room)).length));
    const isDone = (device: RaceDevice) =>
      this.rooms.every(
        (room, index) => !device.isFollowing(room) || (!device.hasHole(room) && device.places.get(room)!.seq === heads[index]),
      );
    await until(() => this.devices.every(isDone), 'every subscription has reached the head');
    await Promise.all(this.devices.map((device) => device.run('ping', {})));
  }

  /** Once it is settled: what is not as the protocol has it, and how many sends were acked. */
  async judge(): Promise<{ acked: number; problems: string[] }> {
    const problems = [...this.problems, ...this.devices.flatMap((device) => device.problems)];
    const acked = this.devices.flatMap(({ sent }) => sent.flat()).filter(({ seq }) => seq > 0).length;
    for (const room of this.rooms) {
      const log = await this.#logOf(room);
      for (const device of this.devices) {
        problems.push(...sendProblems(device, room, log.events));
        for (const following of device.followings) if (following.room === room) problems.push(...problemsOf(following, log));
      }
      const messages = await readMessages(this.servers[0]!, this.owner, room);
      for (const device of this.devices.filter((device) => device.isFollowing(room))) {
        if (!isDeepStrictEqual(device.copies.get(room)!.messages, messages)) problems.push(`${device.user} has other messages`);
        if (!isDeepStrictEqual(this.#mergedAnew(device, room), messages)) problems.push(`${device.user} has others, merged anew`);
      }
      if (log.events.length <= 8) problems.push('hardly anything has happened');
    }
    return { acked, problems };
  }

  async end(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.client.terminate()));
  }

  // The owner's own device, the first, only looks on; so its trail is the whole of both logs.
  #step(): void {
    const device = this.devices[1 + this.random.below(this.devices.length - 1)]!;
    const room = this.random.pick(this.rooms);
    const other = this.random.pick(this.users);
    const name = { room, seq: 1 + this.random.below(40) };
    switch (this.random.weighted(WEIGHTS)) {
      case 'send':
        return this.#start(device.send(room, `c${++this.#sends}`, `text ${this.#sends}`));
      case 'subscribe':
        return this.#start(device.subscribe(room, false));
      case 'resume':
        return this.#start(device.subscribe(room, true));
      case 'subscribeAll':
        return this.#start(device.subscribeAll(this.rooms, this.random.next() < 0.5));
      case 'unsubscribe':
        return this.#start(device.run('room.unsubscribe', { room }));
      case 'join':
        return this.#start(device.run('room.join', { room }));
      case 'leave':
        return this.#start(device.run('room.leave', { room }));
      case 'edit':
        return this.#start(device.run('message.edit', { ...name, text: `edit ${this.random.below(1000)}` }));
      case 'delete':
        return this.#start(device.run('message.delete', name));
      case 'page':
        return this.#start(device.page(room));
      case 'reconnect':
        return this.#start(device.reconnect());
      case 'kick':
        return this.#start(this.#act('DELETE', room, `members/${other}`));
      case 'add':
        return this.#start(this.#act('PUT', room, `members/${other}`, { role: 'member' }));
      case 'ban':
        this.banned.add(other);
        return this.#start(this.#act('PUT', room, `bans/${other}`, {}));
      case 'unban':
        return this.#start(this.#act('DELETE', room, `bans/${other}`));
    }
  }

  async #act(method: string, room: string, path: string, body?: object): Promise<void> {
    const { status, text } = await this.random.pick(this.servers).http(this.owner, method, `/v1/rooms/${room}/${path}`, body);
    if (![200, 204, 403, 404].includes(status)) this.problems.push(`${method} ${path}: ${status} ${text}`);
  }

  #start(task: Promise<unknown>): void {
    const done = task.finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  /** Mostly goes on at once, so that acts overlap; now and then lets some or all of them be done. */
  async #pause(): Promise<void> {
    const chance = this.random.next();
    if (chance < 0.1) await Promise.all(this.#pending);
    else if (chance < 0.4 || this.#pending.size > 30) await Promise.race(this.#pending);
    else if (chance < 0.7) for (let turns = this.random.below(4); turns > 0; turns--) await new Promise(setImmediate);
  }

  async #logOf(room: string): Promise<Log> {
    const first = new Map([[this.owner, 'owner'], ...this.users.slice(0, 2).map((user) => [user, 'member'] as const)]);
    const events = await readLog(this.servers[0]!, this.owner, room);
    const hintsFailed = this.servers.length > 1;
    return { events, isPrivate: room === this.rooms[0], first, banned: this.banned, hintsFailed };
  }

  /** Everything the device heard of the room, merged in another order. */
  #mergedAnew(device: RaceDevice, room: string): Message[] {
    const copy = new MessageCopy();
    for (const part of this.random.shuffled(device.heard.get(room) ?? [])) {
      if ('page' in part) copy.page(part.page);
      else copy.event(part.event);
    }
    return copy.messages;
  }
}

/** A socket's acked sends have their places in the log, in the order in which they were sent. */
function sendProblems(device: RaceDevice, room: string, events: readonly Frame[]): string[] {
  return device.sent.flatMap((sends) => {
    const acked = sends.filter((send) => send.room === room && send.seq > 0);
    const isInOrder = acked.every(({ seq }, index) => index === 0 || seq > acked[index - 1]!.seq);
    const lost = acked.filter(({ seq, clientId }) => events[seq - 1]?.data.clientId !== clientId);
    return [
      ...(isInOrder ? [] : [`${device.user}'s acks are out of order`]),
      ...lost.map(({ seq }) => `the ack of ${seq} is not in the log`),
    ];
  });
}
