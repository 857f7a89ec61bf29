import { setTimeout as pause } from 'node:timers/promises';
import type { Message } from '../../src/protocol/index.js';
import { ChatClient, CommandError, type Frame } from '../support/chat-client.js';
import { type Following, MessageCopy } from '../support/followed-room.js';
import type { Random } from '../support/seeded.js';
import { until } from '../support/until.js';
import type { Ledger } from './ledger.js';
import type { Send } from './oracle.js';

export interface DeviceOptions {
  name: string;
  user: string;
  token: () => string;
  /** WebSocket URLs of the instances that may be there. */
  instances: () => readonly string[];
  rooms: readonly string[];
  random: Random;
  ledger: Ledger;
  /** How long a command may take before the device takes it for unanswered. */
  patienceMs: number;
}

type RoomAck = Following['ack'] & { room: string; epoch: string; error?: object };

/**
 * A client as the protocol wants it: one socket at a time, on any instance. When it loses it, it goes to another one and resumes each room from
 * the last event that it processed; told to `drain`, it leaves in its own time, or waits for 4001.
 */
export class LoadDevice {
  readonly followings = new Map<string, Following[]>();
  readonly copies = new Map<string, MessageCopy>();
  /** Codes that its sockets were closed with, by the other side. */
  readonly closings: number[] = [];
  /** Of handshakes that came to nothing. */
  refused = 0;
  readonly #places = new Map<string, { epoch: string; seq: number }>();
  readonly #asked = new Map<number, readonly string[]>();
  /** Rooms whose copy lacks what came before the first subscribe, until they are paged. */
  readonly #unpaged = new Set<string>();
  #client: ChatClient | undefined;
  #connection = 0;
  #instance: string | undefined;
  #next: string | undefined;
  #commands = 0;
  #underWay = 0;
  #isLeaving = false;
  #isOver = false;
  #living: Promise<void> | undefined;

  constructor(private readonly options: DeviceOptions) {
    for (const room of options.rooms) {
      this.followings.set(room, []);
      this.copies.set(room, new MessageCopy());
    }
  }

  get name(): string {
    return this.options.name;
  }

  get user(): string {
    return this.options.user;
  }

  /** Of the sockets that it opened. */
  get connections(): number {
    return this.#connection;
  }

  /** The instance that it is at. */
  get instance(): string | undefined {
    return this.#client && this.#instance;
  }

  /** Whether it can send, and hears all rooms. */
  get isReady(): boolean {
    const isWhole = this.#unpaged.size === 0 && this.options.rooms.every((room) => this.#following(room)?.end === 'open');
    return this.#client !== undefined && !this.#isLeaving && isWhole;
  }

  seqOf(room: string): number {
    return this.#places.get(room)?.seq ?? 0;
  }

  start(): void {
    this.#living = this.#live();
  }

  /** Loses its socket without a word; what is under way stays unanswered. */
  cut(): void {
    this.#client?.socket.terminate();
  }

  /** Goes to an instance in good order, once what is under way is answered. */
  async goTo(instance: string): Promise<void> {
    this.#next = instance;
    if (this.#client) await this.#close(this.#client);
    await until(() => this.instance === instance && this.isReady, `${this.name} is at ${instance}`);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#client?.socket.terminate();
    await this.#living;
  }

  /** One attempt, if there is a socket. */
  async send(send: Send, text: string): Promise<void> {
    if (!this.isReady) return;
    const { ledger, name } = this.options;
    const began = performance.now();
    const attempt = ledger.attempt(send, `${name}.${this.#connection}`);
    try {
      const { room, clientId } = send;
      ledger.acknowledge(
        send,
        attempt,
        (await this.command('message.send', { room, clientId, text })) as { seq: number; duplicate: boolean },
      );
    } catch (error) {
      if (!(error instanceof CommandError)) return;
      ledger.refuse(attempt, error.code);
    }
    ledger.answered(performance.now() - began);
  }

  /** @throws what the command comes to when it is not acked */
  async command(event: string, data: object, rooms: readonly string[] = []): Promise<Frame['data']> {
    const client = this.#client;
    if (client?.socket.readyState !== client?.socket.OPEN || !client) throw new Error('there is no socket');
    const id = ++this.#commands;
    if (rooms.length > 0) this.#asked.set(id, rooms);
    this.#underWay++;
    try {
      return (await client.command(event, data, id)) as unknown;
    } finally {
      this.#underWay--;
    }
  }

  #following(room: string): Following | undefined {
    return this.followings.get(room)!.at(-1);
  }

  async #live(): Promise<void> {
    const { instances, token, random, patienceMs } = this.options;
    while (!this.#isOver) {
      const all = instances();
      const others = all.filter((url) => url !== this.#instance);
      this.#instance = this.#next ?? random.pick(others.length > 0 ? others : all);
      this.#next = undefined;
      const client = await ChatClient.connect(this.#instance, { token: token(), patienceMs }).catch(() => undefined);
      if (client) await this.#stay(client);
      else {
        this.refused++;
        await pause(20 + random.below(80));
      }
    }
  }

  async #stay(client: ChatClient): Promise<void> {
    this.#connection++;
    this.#isLeaving = false;
    this.#asked.clear();
    this.#client = client;
    // Not by the promise of a command: the next event may come in the same turn as the ack.
    client.socket.on('message', (data: Buffer) => {
      this.#hear(JSON.parse(data.toString('utf8')) as Frame);
      client.frames.length = 0;
    });
    const following = this.#follow(client);
    const { code } = await client.closed;
    this.closings.push(code);
    this.#client = undefined;
    for (const following of [...this.followings.values()].flatMap((all) => all.slice(-1))) {
      if (following.end === 'open') following.end = 'cut';
    }
    await following;
  }

  /** Asks for the rooms until it has them all: a server whose database is away keeps its sockets. */
  async #follow(client: ChatClient): Promise<void> {
    while (this.#client === client && !this.#isOver && !(await this.#hasAll())) await pause(20 + this.options.random.below(80));
  }

  async #hasAll(): Promise<boolean> {
    const rooms = this.options.rooms.filter((room) => (this.#following(room)?.end ?? 'cut') === 'cut').slice(0, 50);
    try {
      const requests = rooms.map((room) => ({ room, since: this.#places.get(room) }));
      if (rooms.length > 0) await this.command('rooms.subscribe', { rooms: requests }, rooms);
      for (const room of this.#unpaged) await this.#page(room);
      return this.isReady;
    } catch {
      return false;
    }
  }

  #hear(frame: Frame): void {
    const rooms = frame.id === undefined ? undefined : this.#asked.get(frame.id);
    if (rooms) {
      this.#asked.delete(frame.id!);
      if (frame.event === 'ack') for (const ack of frame.data.rooms as RoomAck[]) if (!ack.error) this.#resume(ack);
    } else if (frame.event === 'drain') void this.#leave(frame.data.reconnectInMs as number);
    else if (frame.room !== undefined && frame.seq !== undefined) this.#process(frame.room, frame);
    else if (frame.event === 'room.closed') this.#following(frame.room!)!.end = frame.data.reason as string;
  }

  #resume(ack: RoomAck): void {
    const { room, epoch, headSeq, events } = ack;
    const since = this.#places.get(room)?.seq ?? null;
    this.followings.get(room)!.push({ room, user: this.user, since, ack, live: [], end: 'open' });
    for (const event of events) this.copies.get(room)!.event(event);
    this.#places.set(room, { epoch, seq: headSeq });
    if (!ack.recovered && headSeq > 0) this.#unpaged.add(room);
  }

  /** @throws when there is no answer */
  async #page(room: string): Promise<void> {
    let after = 0;
    for (;;) {
      const page = (await this.command('history.get', { room, after, limit: 200 })) as { messages: Message[]; hasAfter: boolean };
      this.copies.get(room)!.page(page.messages);
      if (!page.hasAfter) break;
      after = page.messages.at(-1)!.seq;
    }
    this.#unpaged.delete(room);
  }

  #process(room: string, frame: Frame): void {
    const following = this.#following(room)!;
    following.live.push(frame);
    this.copies.get(room)!.event(frame);
    this.#places.get(room)!.seq = frame.seq!;
    this.options.ledger.delivered(Date.now() - Date.parse(frame.at!));
  }

  async #leave(reconnectInMs: number): Promise<void> {
    const client = this.#client!;
    if (this.options.random.next() < 0.5) return;
    await pause(this.options.random.next() * reconnectInMs);
    await this.#close(client);
  }

  async #close(client: ChatClient): Promise<void> {
    if (this.#client !== client) return;
    this.#isLeaving = true;
    while (this.#underWay > 0 && this.#client === client) await pause(2);
    client.socket.close(1000);
  }
}
