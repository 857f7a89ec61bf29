import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  type BusMessage,
  decode,
  encodeAct,
  encodeAnswer,
  encodeNote,
  encodeQuestion,
  encodeSignal,
  encodeTraces,
  isFrom,
  originOf,
} from './bus-codec.js';
import { EchoProbe } from './echo-probe.js';
import { HeldTraces } from './held-traces.js';
import { LocalBus } from './local-bus.js';
import type { PubSub } from './pub-sub.js';
import { RedisOutbox } from './redis-outbox.js';
import { RedisSubscriptions } from './redis-subscriptions.js';
import {
  type Answer,
  type Audience,
  type BusHealth,
  type BusListener,
  type Question,
  type RecordedAct,
  RoomBus,
  type RoomNote,
  type Signal,
} from './room-bus.js';

const ROUND_MS = 2_000;
/** What is not understood is logged at most this often. */
const COMPLAINT_MS = 60_000;

export interface RedisBusOptions {
  prefix: string;
  instanceId: string;
  /** Told how long each probe took from publishing to hearing, in seconds. */
  onRoundTrip?: (seconds: number) => void;
  /** Whether traces of events go with their notes, and are heard; else they are ignored. */
  isTracing?: boolean;
}

/**
 * The bus of several instances: each room has a channel for its notes and signals, and all that is not about one room shares another.
 * What this instance publishes reaches its own listeners directly, and is ignored when it comes back. Messages about one room come in the
 * order in which one instance published them, as long as no connection breaks.
 */
export class RedisBus extends RoomBus implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger(RedisBus.name);
  readonly #local = new LocalBus();
  readonly #origin: Buffer;
  readonly #roomPrefix: string;
  readonly #shared: string;
  readonly #subscriptions: RedisSubscriptions;
  readonly #probe: EchoProbe;
  readonly #traces: HeldTraces | null;
  readonly outbox: RedisOutbox;
  #rounds: NodeJS.Timeout | undefined;
  #complainedAt = -Infinity;

  constructor(
    private readonly pubSub: PubSub,
    { prefix, instanceId, onRoundTrip = () => {}, isTracing = false }: RedisBusOptions,
  ) {
    super();
    this.#origin = originOf(instanceId);
    this.#roomPrefix = `${prefix}:room:{`;
    this.#shared = `${prefix}:all`;
    this.#subscriptions = new RedisSubscriptions(pubSub, (channel, message) => this.#hear(channel, message));
    this.#probe = new EchoProbe(pubSub, onRoundTrip);
    this.#traces = isTracing ? new HeldTraces() : null;
    this.outbox = new RedisOutbox(pubSub);
  }

  onModuleInit(): void {
    this.pubSub.publisher.on('ready', this.#round);
    this.#rounds = setInterval(this.#round, ROUND_MS).unref();
    this.#round();
    void this.#subscriptions.follow(this.#shared);
  }

  onApplicationShutdown(): void {
    clearInterval(this.#rounds);
    this.pubSub.publisher.off('ready', this.#round);
    this.#subscriptions.stop();
  }

  override publishNote(note: RoomNote): void {
    this.#local.publishNote(note);
    if (this.#traces) this.#publishTraces(note);
    this.outbox.send(this.#channelOf(note.room), () => encodeNote(this.#origin, note));
  }

  override publishSignal(signal: Signal): void {
    this.#local.publishSignal(signal);
    const { audience } = signal;
    this.outbox.send(audience.kind === 'room' ? this.#channelOf(audience.room) : this.#shared, () => encodeSignal(this.#origin, signal));
  }

  override publishAct(recorded: RecordedAct): void {
    this.#local.publishAct(recorded);
    this.outbox.send(this.#shared, () => encodeAct(this.#origin, recorded));
  }

  override publishQuestion(question: Question): void {
    this.#local.publishQuestion(question);
    this.outbox.send(this.#shared, () => encodeQuestion(this.#origin, question));
  }

  override publishAnswer(answer: Answer): void {
    this.#local.publishAnswer(answer);
    this.outbox.send(this.#shared, () => encodeAnswer(this.#origin, answer));
  }

  override follow(room: string): Promise<void> {
    return this.#subscriptions.follow(this.#channelOf(room));
  }

  override unfollow(room: string): void {
    this.#subscriptions.unfollow(this.#channelOf(room));
  }

  override listen(listener: BusListener): () => void {
    return this.#local.listen(listener);
  }

  override health(): BusHealth {
    return this.#probe.verdict();
  }

  override get droppedAt(): number | null {
    return this.outbox.droppedAt;
  }

  readonly #round = (): void => {
    this.#subscriptions.tend();
    this.#probe.round(this.#subscriptions.links);
    this.outbox.report();
  };

  #publishTraces({ room, headSeq, events }: RoomNote): void {
    const traceparents = events.flatMap(({ seq, trace }) => (trace ? [[seq, trace.traceparent] as const] : []));
    if (traceparents.length === 0) return;
    this.outbox.send(this.#channelOf(room), () => encodeTraces(this.#origin, { headSeq, traceparents }));
  }

  #channelOf(room: string): string {
    return `${this.#roomPrefix}${room}}`;
  }

  #hear(channel: string, message: Buffer): void {
    if (this.#probe.hear(channel)) return;
    if (!this.#subscriptions.isFollowed(channel) || isFrom(message, this.#origin)) return;
    const decoded = decode(message);
    const room = channel === this.#shared ? null : channel.slice(this.#roomPrefix.length, -1);
    if (decoded === null || !this.#deliver(decoded, room)) this.#complain(channel);
  }

  /** @returns false when such a message has no business on its channel */
  #deliver(message: BusMessage, room: string | null): boolean {
    switch (message.kind) {
      case 'note':
        if (room === null) return false;
        this.#local.publishNote(this.#withTraces({ room, ...message.note }));
        return true;
      case 'traces':
        if (room === null) return false;
        this.#traces?.hold(room, message.traces);
        return true;
      case 'signal': {
        const audience = audienceOf(message.audience, message.user, room);
        if (audience) this.#local.publishSignal({ audience, ...message.signal });
        return audience !== null;
      }
      case 'act':
        if (room !== null) return false;
        this.#local.publishAct(message.recorded);
        return true;
      case 'question':
        if (room !== null) return false;
        this.#local.publishQuestion(message.question);
        return true;
      case 'answer':
        if (room !== null) return false;
        this.#local.publishAnswer(message.answer);
        return true;
    }
  }

  #withTraces(note: RoomNote): RoomNote {
    return this.#traces?.joined(note) ?? note;
  }

  #complain(channel: string): void {
    if (performance.now() - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = performance.now();
    this.#logger.warn(`On the channel ${channel} came what is no message of the bus, or of a release that this one does not understand.`);
  }
}

function audienceOf(kind: Audience['kind'], user: string | null, room: string | null): Audience | null {
  if ((kind === 'room') !== (room !== null)) return null;
  if (kind === 'everybody') return { kind };
  if (kind === 'user') return { kind, user: user! };
  return { kind, room: room!, ...(user === null ? {} : { exceptUser: user }) };
}
