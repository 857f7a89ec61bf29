import type { Message } from '../../src/protocol/index.js';
import { type ChatClient, CommandError, type Frame } from './chat-client.js';
import { type Following, MessageCopy } from './followed-room.js';
import type { RaceServer } from './race.js';

interface Asked {
  event: string;
  rooms: { room: string; since?: { epoch: string; seq: number } }[];
}

interface Place {
  epoch: string;
  /** The last seq up to which it has everything; the next subscribe may start there. */
  seq: number;
}

/** What the outcome of a command may be in a race: all else is a fault. */
const REFUSALS = new Set(['not_found', 'forbidden', 'conflict']);

/** A user's device: one socket at a time, and a copy of each room that outlives it. Every frame is taken down at its place. */
export class RaceDevice {
  readonly followings: Following[] = [];
  readonly problems: string[] = [];
  /** Acked sends: what was sent, and the seq it got. In the order in which they were sent, by socket. */
  readonly sent: { room: string; clientId: string; seq: number }[][] = [];
  readonly copies = new Map<string, MessageCopy>();
  readonly places = new Map<string, Place>();
  /** Everything that says something about messages, for merging it anew in another order. */
  readonly heard = new Map<string, ({ page: Message[] } | { event: Frame })[]>();
  client!: ChatClient;
  readonly #open = new Map<string, Following>();
  /** Rooms whose copy lacks what came before the last subscribe, until they are paged: a resume from there would keep the hole. */
  readonly #holes = new Map<string, Following>();
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #isCut = false;

  private constructor(
    readonly user: string,
    private readonly server: RaceServer,
  ) {}

  static async connect(server: RaceServer, user: string): Promise<RaceDevice> {
    const device = new RaceDevice(user, server);
    await device.#connect();
    return device;
  }

  /** Nothing is asked or heard from the cut until the next socket is open. */
  async reconnect(): Promise<void> {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const following of this.#open.values()) following.end = 'cut';
    this.#open.clear();
    this.#asked.clear();
    await this.client.terminate();
    await this.#connect();
  }

  isFollowing(room: string): boolean {
    return this.#open.has(room);
  }

  async subscribe(room: string, resume: boolean): Promise<void> {
    await this.#command('room.subscribe', this.#request(room, resume), [this.#request(room, resume)]);
  }

  async subscribeAll(rooms: readonly string[], resume: boolean): Promise<void> {
    const requests = rooms.map((room) => this.#request(room, resume));
    await this.#command('rooms.subscribe', { rooms: requests }, requests);
  }

  async send(room: string, clientId: string, text: string): Promise<void> {
    const sends = this.sent.at(-1)!;
    const index = sends.push({ room, clientId, seq: 0 }) - 1;
    const ack = await this.#command('message.send', { room, clientId, text });
    if (ack) sends[index]!.seq = ack.seq as number;
  }

  hasHole(room: string): boolean {
    return this.#holes.has(room);
  }

  async page(room: string): Promise<void> {
    const hole = this.#holes.get(room);
    const ack = await this.#command('history.get', { room, after: 0, limit: 200 });
    if (!ack) return;
    if (this.#holes.get(room) === hole) this.#holes.delete(room);
    this.#copy(room).page(ack.messages as Message[]);
    this.#note(room, { page: ack.messages as Message[] });
  }

  /** Any other command. A refusal that a race may bring is no problem. */
  async run(event: string, data: object): Promise<void> {
    await this.#command(event, data);
  }

  async #connect(): Promise<void> {
    this.client = await this.server.connect(this.user, { patienceMs: 20_000 });
    this.#isCut = false;
    this.sent.push([]);
    const { client } = this;
    client.socket.on('message', (text: Buffer) => {
      if (this.client === client && !this.#isCut) this.#hear(JSON.parse(text.toString()) as Frame);
    });
  }

  #request(room: string, resume: boolean): { room: string; since?: Place } {
    const place = this.places.get(room);
    return resume && place && !this.#holes.has(room) ? { room, since: { ...place } } : { room };
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  async #command(event: string, data: object, rooms: Asked['rooms'] = [data as { room: string }]): Promise<any> {
    if (this.#isCut) return undefined;
    const { client } = this;
    const id = ++this.#lastId;
    this.#asked.set(id, { event, rooms });
    try {
      return (await client.command(event, data, id)) as unknown;
    } catch (error) {
      const isRefused = error instanceof CommandError && REFUSALS.has(error.code);
      const wasCut = !(error instanceof CommandError) && (this.#isCut || this.client !== client);
      if (!isRefused && !wasCut) this.problems.push(`${this.user}: ${event} ${JSON.stringify(data)}: ${(error as Error).message}`);
      return undefined;
    }
  }

  // What `command` resolves with comes a turn later: the order of the frames themselves is what counts.
  #hear(frame: Frame): void {
    const asked = frame.id === undefined ? undefined : this.#asked.get(frame.id);
    if (asked && frame.event === 'ack') this.#answered(asked, frame.data);
    if (frame.room === undefined) return;
    if (frame.seq !== undefined) this.#event(frame);
    else if (frame.event === 'room.closed') this.#end(frame.room, frame.data.reason as string);
  }

  #answered({ event, rooms }: Asked, data: Frame['data']): void {
    if (event === 'room.unsubscribe' && this.#open.has(rooms[0]!.room)) this.#end(rooms[0]!.room, 'unsubscribed');
    if (event !== 'room.subscribe' && event !== 'rooms.subscribe') return;
    const acks = (event === 'room.subscribe' ? [data] : data.rooms) as (Following['ack'] & {
      room: string;
      epoch: string;
      error?: object;
    })[];
    acks.forEach((ack, index) => {
      if (ack.error) return;
      const { room, since } = rooms[index]!;
      if (this.#open.has(room)) this.#end(room, 'replaced');
      const following: Following = { room, user: this.user, since: since?.seq ?? null, ack, live: [], end: 'open' };
      this.followings.push(following);
      this.#open.set(room, following);
      for (const replayed of ack.events) this.#apply(room, replayed);
      this.places.set(room, { epoch: ack.epoch, seq: ack.headSeq });
      // Without a replay there is a hole behind what it had: the client pages anew.
      if (ack.recovered) return;
      this.#holes.set(room, following);
      void this.page(room);
    });
  }

  #event(frame: Frame): void {
    const following = this.#open.get(frame.room!);
    if (!following) {
      this.problems.push(`${this.user} heard ${frame.event} ${frame.seq} outside of any subscription`);
      return;
    }
    following.live.push(frame);
    this.#apply(frame.room!, frame);
    this.places.get(frame.room!)!.seq = frame.seq!;
  }

  #end(room: string, reason: string): void {
    const following = this.#open.get(room);
    if (!following) {
      this.problems.push(`${this.user} was told of the end (${reason}) of no subscription`);
      return;
    }
    following.end = reason;
    this.#open.delete(room);
  }

  #apply(room: string, event: Frame): void {
    this.#copy(room).event(event);
    this.#note(room, { event });
  }

  #copy(room: string): MessageCopy {
    let copy = this.copies.get(room);
    if (!copy) this.copies.set(room, (copy = new MessageCopy()));
    return copy;
  }

  #note(room: string, heard: { page: Message[] } | { event: Frame }): void {
    const all = this.heard.get(room);
    if (all) all.push(heard);
    else this.heard.set(room, [heard]);
  }
}
