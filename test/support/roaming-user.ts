import { setTimeout as pause } from 'node:timers/promises';
import { ChatClient, CommandError, type Frame } from './chat-client.js';
import type { Random } from './seeded.js';

export interface RoamingOptions {
  name: string;
  token: string;
  /** WebSocket URLs of the instances. */
  instances: readonly string[];
  room: string;
  random: Random;
}

/**
 * A user with a client as the protocol wants it: one socket at a time, on any instance. He follows a room, resumes from the last event
 * that he has processed, and says each message again, with its clientId, until it is acked. Told to `drain`, he leaves in his own time, or
 * waits for 4001: as chance will have it.
 */
export class RoamingUser {
  /** Seqs as he processed them, live and replayed. */
  readonly seen: number[] = [];
  /** Of each message that was acked, by its clientId: its seq. */
  readonly acked = new Map<string, number>();
  /** What must never happen. */
  readonly faults: string[] = [];
  /** How often he went to another instance, and said a message again. */
  moves = 0;
  retries = 0;

  #client: ChatClient | undefined;
  #instance: string | undefined;
  #since: { epoch: string; seq: number } | undefined;
  #isLeaving = false;
  readonly #living: Promise<void>;

  constructor(private readonly options: RoamingOptions) {
    this.#living = this.#live();
  }

  get lastSeq(): number {
    return this.#since?.seq ?? -1;
  }

  /** Says one message after the other, with short pauses. Resolves when it is over and the last one is acked. */
  async talk(isOver: () => boolean): Promise<void> {
    const { name, room, random } = this.options;
    for (let number = 1; !isOver(); number++) {
      const clientId = `${name}-${number}`;
      await this.#say({ room, clientId, text: `${name} says ${number}` });
      await pause(5 + random.below(40));
    }
  }

  async leave(): Promise<void> {
    this.#isLeaving = true;
    await this.#client?.close();
    await this.#living;
  }

  async #say(message: { room: string; clientId: string; text: string }): Promise<void> {
    for (;;) {
      try {
        const client = this.#client;
        if (client) {
          const { seq } = (await client.command('message.send', message)) as { seq: number };
          this.acked.set(message.clientId, seq);
          return;
        }
      } catch (error) {
        if (error instanceof CommandError && error.data['retryable'] !== true) this.faults.push(`${message.clientId}: ${error.message}`);
        this.retries++;
      }
      await pause(10);
    }
  }

  async #live(): Promise<void> {
    const { instances, token, random } = this.options;
    while (!this.#isLeaving) {
      const instance = random.pick(instances.filter((url) => url !== this.#instance));
      this.#instance = instance;
      const client = await ChatClient.connect(instance, { token, patienceMs: 5_000 }).catch(() => undefined);
      // Refused: it is leaving, or has left.
      if (!client) await pause(20 + random.below(100));
      else await this.#stay(client);
    }
  }

  async #stay(client: ChatClient): Promise<void> {
    const { room, random } = this.options;
    let leavesByHimself = false;
    // Not by the promise of a command: the next event may come in the same turn as the ack.
    client.socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame;
      if (frame.event === 'ack' && (frame.data as { events?: unknown }).events) this.#resume(frame.data as Snapshot);
      else if (frame.room === room && frame.seq !== undefined) this.#process(frame.seq);
      else if (frame.event === 'drain') {
        this.moves++;
        leavesByHimself = random.next() < 0.5;
        if (leavesByHimself)
          setTimeout(() => client.socket.close(1000), random.below((frame.data as { reconnectInMs: number }).reconnectInMs));
      }
    });
    await client.command('room.subscribe', { room, since: this.#since }).then(
      () => (this.#client = client),
      (error: Error) => (error instanceof CommandError ? this.faults.push(`subscribe: ${error.message}`) : undefined),
    );
    const { code } = await client.closed;
    this.#client = undefined;
    if (code !== 4001 && !leavesByHimself && !this.#isLeaving) this.faults.push(`closed with ${code}`);
  }

  #resume({ epoch, headSeq, recovered, events }: Snapshot): void {
    if (this.#since && !recovered) this.faults.push(`not recovered from ${this.#since.seq}`);
    this.#since ??= { epoch, seq: headSeq };
    for (const { seq } of events) this.#process(seq!);
  }

  #process(seq: number): void {
    if (seq !== this.#since!.seq + 1) this.faults.push(`${seq} came after ${this.#since!.seq}`);
    this.seen.push(seq);
    this.#since!.seq = seq;
  }
}

interface Snapshot {
  epoch: string;
  headSeq: number;
  recovered: boolean;
  events: Frame[];
}
