import type { Redis } from 'ioredis';
import type { PubSub } from './pub-sub.js';

/** `follow` waits no longer than this for Redis to answer. */
const PATIENCE_MS = 1_000;

interface Wanted {
  /** *due*: to be asked for; *asked*: not answered yet; *heard*: Redis has said that its messages come. */
  state: 'due' | 'asked' | 'heard';
  waiters: (() => void)[];
}

/**
 * One connection that hears channels of one home, and the channels that it is to hear. Whatever becomes of the connection, the channels
 * that are wanted are asked for again, in as few commands as can be, as soon as there is one.
 * States: *connecting* (never yet connected), *live*, *lost* (trying to connect again: nobody waits for it).
 */
export class SubscriberLink {
  readonly #wanted = new Map<string, Wanted>();
  readonly #due = new Set<string>();
  #client: Redis;
  #state: 'connecting' | 'live' | 'lost' = 'connecting';
  #isFlushing = false;

  /** @param hear must not throw */
  constructor(
    readonly home: string,
    private readonly pubSub: PubSub,
    private readonly hear: (channel: string, message: Buffer) => void,
  ) {
    this.#client = this.#connect();
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  hears(channel: string): boolean {
    return this.#wanted.get(channel)?.state === 'heard';
  }

  /** Resolves when the channel is heard, when that cannot be soon, or within a second. The channels of one turn are asked for together. */
  want(channel: string): Promise<void> {
    let wanted = this.#wanted.get(channel);
    if (!wanted) {
      this.#wanted.set(channel, (wanted = { state: 'due', waiters: [] }));
      this.#ask(channel);
    }
    if (wanted.state === 'heard' || this.#state === 'lost') return Promise.resolve();
    const { waiters } = wanted;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  forget(channels: readonly string[]): void {
    const asked = channels.filter((channel) => {
      const wanted = this.#wanted.get(channel);
      if (wanted) release(wanted);
      this.#wanted.delete(channel);
      this.#due.delete(channel);
      return wanted !== undefined && wanted.state !== 'due';
    });
    if (this.#state !== 'live') return;
    // What Redis does not hear of is dropped on arrival.
    for (const group of this.pubSub.group(asked)) void this.pubSub.unsubscribe(this.#client, group).catch(() => {});
  }

  /** Asks again for what was refused. */
  retry(): void {
    for (const [channel, { state }] of this.#wanted) if (state === 'due') this.#ask(channel);
  }

  /** Gives up the connection, which may be deaf, for a new one. */
  replace(): void {
    const old = this.#client;
    this.#lose();
    this.#client = this.#connect();
    old.disconnect();
  }

  stop(): void {
    this.#lose();
    this.#client.disconnect();
  }

  #connect(): Redis {
    const client = this.pubSub.connect(this.home);
    const whileCurrent = (act: () => void) => () => {
      if (client === this.#client) act();
    };
    client.on(
      'ready',
      whileCurrent(() => {
        this.#state = 'live';
        for (const channel of this.#wanted.keys()) this.#due.add(channel);
        this.#flush();
      }),
    );
    client.on(
      'close',
      whileCurrent(() => {
        this.#lose();
        this.pubSub.refresh(); // another may have taken its place
      }),
    );
    // A slot has gone to another home, and its channels with it.
    client.on(
      'moved',
      whileCurrent(() => this.pubSub.refresh()),
    );
    client.on(this.pubSub.messageEvent, (channel: Buffer, message: Buffer) => {
      if (client === this.#client) this.hear(channel.toString(), message);
    });
    return client;
  }

  #lose(): void {
    this.#state = 'lost';
    this.#due.clear();
    for (const wanted of this.#wanted.values()) {
      wanted.state = 'due';
      release(wanted);
    }
  }

  #ask(channel: string): void {
    this.#due.add(channel);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'live' || this.#due.size === 0) return;
    const due = [...this.#due];
    this.#due.clear();
    for (const group of this.pubSub.group(due)) this.#subscribe(group);
  }

  #subscribe(group: readonly string[]): void {
    const client = this.#client;
    for (const channel of group) this.#wanted.get(channel)!.state = 'asked';
    const settle = (state: 'heard' | 'due') => () => {
      if (client !== this.#client) return;
      for (const channel of group) {
        const wanted = this.#wanted.get(channel);
        if (wanted?.state !== 'asked') continue;
        wanted.state = state;
        release(wanted);
      }
    };
    this.pubSub.subscribe(client, group).then(settle('heard'), settle('due'));
  }
}

function release(wanted: Wanted): void {
  for (const resolve of wanted.waiters) resolve();
  wanted.waiters = [];
}
