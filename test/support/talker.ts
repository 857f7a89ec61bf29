import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Frame } from './chat-client.js';

/** What a send came to. */
export interface SendAck {
  clientId: string;
  text: string;
  seq: number;
  duplicate: boolean;
}

/**
 * A chat client as docs/protocol.md asks for one, with nothing but `ws`: over any number of sockets it goes on from the last event that it
 * has, and sends again, with the same `clientId`, what was not acked.
 */
export class Talker {
  /** Every durable event of the room as it came, live or replayed, over all its sockets. */
  readonly events: Frame[] = [];
  /** By `clientId`, the last ack of each. */
  readonly acks = new Map<string, SendAck>();
  userId = '';
  sockets = 0;
  replayed = 0;
  /** Why it cannot go on: an error frame, a socket that it did not drop, a replay that is not whole. */
  fault: string | undefined;
  /** Hears of every frame once it is taken in; may drop the connection. */
  onFrame: (frame: Frame) => void = () => {};

  #socket: WebSocket | undefined;
  #isFollowing = false;
  #id = 0;
  readonly #unacked = new Map<string, string>();
  /** The sends under way on the socket, by the command's id. */
  readonly #sends = new Map<number, { clientId: string; text: string }>();

  constructor(
    private readonly token: string,
    private readonly room: string,
    private readonly epoch: string,
  ) {}

  /** How many of its sends are open. @throws its fault */
  get unacked(): number {
    if (this.fault !== undefined) throw new Error(this.fault);
    return this.#unacked.size;
  }

  /** Whether no send is open, and at least this many messages are here. @throws its fault */
  has(messages: number): boolean {
    return this.unacked === 0 && this.events.filter(({ event }) => event === 'message.created').length >= messages;
  }

  /** Opens a socket; the room and what is unacked follow by themselves. */
  connect(port: number): void {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { authorization: `Bearer ${this.token}` } });
    this.#socket = socket;
    this.sockets++;
    this.fault = undefined;
    // What comes from a socket that was dropped is not heard any more, as by a client that lost it.
    const current = (act: () => void) => () => void (socket === this.#socket && act());
    socket.on('open', current(this.#follow));
    socket.on('message', (data: Buffer) => current(() => this.#hear(JSON.parse(data.toString()) as Frame))());
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', (code) => current(() => ((this.#isFollowing = false), (this.fault = `closed with ${code}`)))());
  }

  /** Loses the connection: as by a cut cable, or in good order. */
  drop(how: 'terminate' | 'close' = 'terminate'): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isFollowing = false;
    this.#sends.clear();
    socket?.[how]();
  }

  /** Sends now, or as soon as it follows the room. @returns the `clientId` */
  say(text: string, clientId: string = randomUUID()): string {
    this.#unacked.set(clientId, text);
    if (this.#isFollowing) this.#send(clientId, text);
    return clientId;
  }

  readonly #follow = (): void => {
    this.#command('room.join', { room: this.room });
    this.#command('room.subscribe', { room: this.room, since: { epoch: this.epoch, seq: this.events.at(-1)?.seq ?? 0 } });
  };

  #send(clientId: string, text: string): void {
    this.#sends.set(this.#command('message.send', { room: this.room, clientId, text }), { clientId, text });
  }

  #command(event: string, data: object): number {
    this.#socket!.send(JSON.stringify({ id: ++this.#id, event, data }));
    return this.#id;
  }

  #hear(frame: Frame): void {
    const send = frame.event === 'ack' ? this.#sends.get(frame.id!) : undefined;
    if (frame.event === 'error') this.fault = JSON.stringify(frame);
    else if (frame.event === 'hello') this.userId = frame.data.userId as string;
    else if (frame.seq !== undefined) this.events.push(frame);
    else if (frame.data.events !== undefined) this.#recover(frame);
    else if (send !== undefined) {
      this.acks.set(send.clientId, { ...send, seq: frame.data.seq as number, duplicate: frame.data.duplicate as boolean });
      this.#unacked.delete(send.clientId);
    }
    this.onFrame(frame);
  }

  #recover({ data }: Frame): void {
    if (data.recovered !== true) this.fault = 'what was missed was not replayed';
    const events = data.events as Frame[];
    this.replayed += events.length;
    this.events.push(...events);
    this.#isFollowing = true;
    for (const [clientId, text] of this.#unacked) this.#send(clientId, text);
  }
}
