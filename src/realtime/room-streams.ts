import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { type Act, type LogEvent, RoomBus } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { ChangesFeed } from '../changes/changes-feed.js';
import { type ReplayedEvent, RoomReplay } from '../log/room-replay.js';
import { textFrame } from '../protocol/index.js';
import { Metrics } from '../telemetry/metrics.js';
import { Tracer } from '../telemetry/tracing.js';
import { TurnEnd } from './turn-end.js';
import { type Entry, type Follower, RoomStream, type StreamHost, type Subscription } from './room-stream.js';

/** What is ahead waits this long for what is missing to come by itself, before the log is asked. */
const GAP_PATIENCE_MS = 15;
const RETRY_MS = 250;

/** The rooms that sockets of this instance follow. Feeds their streams from the bus, and from the log what the bus did not bring. */
@Injectable()
export class RoomStreams implements StreamHost, OnApplicationShutdown {
  readonly #logger = new Logger(RoomStreams.name);
  readonly #streams = new Map<string, RoomStream>();
  readonly #filling = new Set<RoomStream>();
  readonly #endings: (() => unknown)[];

  constructor(
    private readonly bus: RoomBus,
    private readonly replay: RoomReplay,
    private readonly turnEnd: TurnEnd,
    private readonly metrics: Metrics,
    private readonly tracer: Tracer,
    acts: Acts,
    changes: ChangesFeed,
  ) {
    this.#endings = [
      bus.listen({ onNote: (note) => this.#streams.get(note.room)?.take(note) }),
      acts.listen((act, xid) => this.#learn(act, xid)),
      changes.listen({ onHeads: (heads) => heads.forEach((head, room) => this.#streams.get(room)?.learnHead(head)) }),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.#endings) end();
    this.#streams.clear();
  }

  get(room: string): RoomStream | undefined {
    return this.#streams.get(room);
  }

  /** A subscription that misses nothing published after this resolves. It ends by `RoomStream.leave`, or at its place in the log. */
  async open(room: string, follower: Follower): Promise<Subscription> {
    let stream = this.#streams.get(room);
    if (!stream) this.#streams.set(room, (stream = new RoomStream(room, this)));
    const subscription = stream.open(follower);
    await this.bus.follow(room);
    return subscription;
  }

  left(stream: RoomStream): void {
    this.bus.unfollow(stream.room);
    if (stream.size === 0 && this.#streams.get(stream.room) === stream) this.#streams.delete(stream.room);
  }

  dirty(stream: RoomStream): void {
    this.turnEnd.add(stream);
  }

  wrote(stream: RoomStream, batch: readonly Entry[], receivers: number): void {
    this.metrics.counts.deliveries += receivers * batch.length;
    if (this.tracer.isOn && receivers > 0) for (const entry of batch) if (entry.trace) this.#trace(stream.room, entry, receivers);
  }

  wroteOne(): void {
    this.metrics.counts.deliveries++;
  }

  gap(stream: RoomStream): void {
    if (this.#filling.has(stream)) return;
    this.#filling.add(stream);
    this.#fillLater(stream, GAP_PATIENCE_MS);
  }

  #fillLater(stream: RoomStream, delayMs: number): void {
    setTimeout(() => void this.#fill(stream), delayMs).unref();
  }

  async #fill(stream: RoomStream): Promise<void> {
    const { counts } = this.metrics;
    try {
      let isFilled = false;
      while (stream.hasGap && this.#streams.get(stream.room) === stream) {
        const page = await this.replay.readAfter(stream.room, stream.position!);
        if (!page) break;
        if (page.events.length === 0) throw new Error(`the log of ${stream.room} ends before its head`);
        counts.gapEvents += page.events.length;
        stream.take({ room: stream.room, epoch: page.epoch, headSeq: page.headSeq, events: page.events.map(logEvent) });
        isFilled = true;
      }
      // Once, however often the log had to be asked.
      if (isFilled) counts.gapsFilled++;
      this.#filling.delete(stream);
    } catch (error) {
      this.#logger.warn(`A gap could not be read from the log; trying again: ${(error as Error).message}`);
      this.#fillLater(stream, RETRY_MS);
    }
  }

  /** The delivery of one event on this instance: from learning of it until the last of its receivers is written. */
  #trace(room: string, { seq, trace }: Entry, receivers: number): void {
    const { traceparent, since } = trace!;
    const facts = {
      'messaging.system': 'parley',
      'messaging.operation.name': 'deliver',
      'messaging.operation.type': 'process',
      'messaging.destination.name': room,
      'messaging.message.id': String(seq),
      'parley.receivers': receivers,
    };
    const span = this.tracer.begin({ name: 'deliver', kind: 'consumer', facts, since }, traceparent);
    if (span) this.turnEnd.afterSockets(() => span.end());
  }

  #learn(act: Act, xid: string): void {
    if (act.kind === 'access.ended') this.#streams.get(act.room)?.endSilently(act.user, act.reason, act.atSeq, xid);
  }
}

function logEvent({ seq, event, user, ends, json }: ReplayedEvent): LogEvent {
  return { seq, event, user, ends, frame: textFrame(json) };
}
