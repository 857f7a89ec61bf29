import { Logger } from '@nestjs/common';
import type { PubSub } from './pub-sub.js';
import type { BusHealth } from './room-bus.js';
import type { SubscriberLink } from './subscriber-link.js';

/** An echo that was published and is not heard for so long will not come: the connection is deaf. */
const DEAF_MS = 3_000;
/** An older proof of delivery counts for nothing. */
const PROOF_MS = 5_000;
const MESSAGE = Buffer.from('echo');

interface Trial {
  link: SubscriberLink;
  /** When delivery was last proved, on the monotonic clock. */
  heardAt: number | null;
  /** When the last echo went out, on the same clock; null when it has come back. */
  sentAt: number | null;
  /** Since when Redis has taken echoes that did not come back. */
  owedSince: number | null;
}

/**
 * Publishes a small message to a channel of this instance alone, over every connection that hears, and expects it back: an open socket
 * proves nothing. A connection that does not bring it is replaced. Rounds are to be called for about every two seconds.
 */
export class EchoProbe {
  readonly #logger = new Logger(EchoProbe.name);
  readonly #trials = new Map<string, Trial>();

  /** @param onRoundTrip told how long an echo took, in seconds */
  constructor(
    private readonly pubSub: PubSub,
    private readonly onRoundTrip: (seconds: number) => void,
  ) {}

  round(links: Iterable<SubscriberLink>): void {
    const channels = new Set<string>();
    for (const link of links) {
      const channel = this.pubSub.echoChannel(link.home);
      if (channel === null) continue;
      channels.add(channel);
      this.#try(channel, link);
    }
    for (const [channel, { link }] of this.#trials) {
      if (channels.has(channel)) continue;
      this.#trials.delete(channel);
      link.forget([channel]);
    }
  }

  /** @returns whether the message was an echo */
  hear(channel: string): boolean {
    const trial = this.#trials.get(channel);
    if (!trial) return false;
    trial.heardAt = performance.now();
    if (trial.sentAt !== null) this.onRoundTrip((trial.heardAt - trial.sentAt) / 1_000);
    trial.sentAt = null;
    trial.owedSince = null;
    return true;
  }

  verdict(): BusHealth {
    if (this.pubSub.publisher.status !== 'ready') return { status: 'down', reason: 'the connection that publishes is away' };
    const trials = [...this.#trials.values()];
    if (trials.length === 0) return { status: 'down', reason: 'it is not known yet where channels live' };
    const deadline = performance.now() - PROOF_MS;
    const silent = trials.filter(({ link, heardAt }) => !link.isLive || heardAt === null || heardAt < deadline).length;
    if (silent === 0) return { status: 'up' };
    return { status: 'down', reason: `what is published does not come back over ${silent} of ${trials.length} connections` };
  }

  #try(channel: string, link: SubscriberLink): void {
    let trial = this.#trials.get(channel);
    if (trial?.link !== link) this.#trials.set(channel, (trial = { link, heardAt: null, sentAt: null, owedSince: null }));
    if (!link.isLive) trial.owedSince = null;
    if (trial.owedSince !== null && performance.now() - trial.owedSince > DEAF_MS) return this.#replace(trial);
    void link.want(channel).then(() => this.#send(channel, trial));
  }

  async #send(channel: string, trial: Trial): Promise<void> {
    const { link, heardAt } = trial;
    if (this.pubSub.publisher.status !== 'ready' || !link.hears(channel)) return;
    trial.sentAt = performance.now();
    try {
      const receivers = await this.pubSub.publish(channel, MESSAGE);
      if (this.#trials.get(channel) !== trial || !link.hears(channel)) return;
      if (receivers === 0) this.#replace(trial);
      else if (trial.heardAt === heardAt) trial.owedSince ??= performance.now();
    } catch {
      // It says nothing of the connection that hears: the one that publishes hangs, and is made anew when it has been silent too long.
    }
  }

  #replace(trial: Trial): void {
    this.#logger.warn('A connection to Redis that should bring messages brings none: it is replaced.');
    trial.owedSince = null;
    trial.link.replace();
  }
}
