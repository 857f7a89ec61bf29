import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../support/seeded.js';
import { until } from '../support/until.js';
import type { FaultCluster } from './fault-cluster.js';
import { LoadDevice } from './load-device.js';
import { Ledger } from './ledger.js';
import { judge, type RoomRecord, type Send, type Trail, type Verdict } from './oracle.js';

export interface LoadOptions {
  seed: number;
  rooms?: number;
  users?: number;
  /** Longest pause between a device's acts; without it 40 ms. */
  pauseMs?: number;
  /** Characters of a message beside its name. */
  textChars?: number;
  patienceMs?: number;
  /** The instances that devices go to; all that are there without it. */
  instances?: () => readonly string[];
  /** The second half of the devices only listen, at other instances than the first: what they hear comes from elsewhere. */
  listenApart?: boolean;
  /** Life of a token, and how long ago it was made. */
  tokenSeconds?: number;
  tokenAgeSeconds?: number;
  /** Of the sends with an unknown fate: how many are sent again. Without it three of four. */
  retryShare?: number;
}

const DEADLINE_MS = 30_000;
const SETTLE_MS = 15_000;

/** Users on devices that follow the same rooms, and say and edit messages in them until they are told to stop. */
export class Load {
  readonly ledger = new Ledger();
  readonly devices: LoadDevice[];
  readonly #random: Random;
  #isOver = false;
  #sends = 0;
  readonly #talks: Promise<void>[];

  private constructor(
    private readonly cluster: FaultCluster,
    readonly rooms: readonly string[],
    readonly users: readonly string[],
    private readonly options: LoadOptions,
  ) {
    this.#random = new Random(options.seed);
    this.devices = users.map((user, index) => this.#device(user, index));
    for (const device of this.devices) device.start();
    const talkers = options.listenApart ? this.devices.slice(0, users.length / 2) : this.devices;
    this.#talks = talkers.map((device) => this.#talk(device, new Random(this.#random.below(2 ** 31))));
  }

  /** Resolves when all devices follow all rooms, and talk. */
  static async start(cluster: FaultCluster, options: LoadOptions): Promise<Load> {
    const users = Array.from({ length: options.users ?? 6 }, (_, index) => `u${options.seed}-${index}`);
    const rooms = await Promise.all(Array.from({ length: options.rooms ?? 3 }, () => cluster.room(users[0]!, users.slice(1))));
    const load = new Load(cluster, rooms, users, options);
    await until(() => load.devices.every(({ isReady }) => isReady), 'all devices follow their rooms', 60_000);
    return load;
  }

  get acked(): number {
    return this.ledger.acked;
  }

  /** Waits until so many more sends are acked. */
  async goesOn(sends: number, patienceMs = 20_000): Promise<void> {
    const goal = this.acked + sends;
    await until(() => this.acked >= goal, `${sends} more sends are acked`, patienceMs);
  }

  /** No more messages are begun. Resolves when those under way have come to their end, and every device has heard all that there is. */
  async finish(): Promise<Verdict> {
    this.#isOver = true;
    await Promise.all(this.#talks);
    const heads = await Promise.all(this.rooms.map((room) => this.cluster.headOf(this.users[0]!, room)));
    const isDone = (device: LoadDevice) => device.isReady && this.rooms.every((room, index) => device.seqOf(room) >= heads[index]!);
    // Who does not come to the head is the oracle's to tell.
    await until(() => this.devices.every(isDone), 'all have heard all', SETTLE_MS).catch(() => undefined);
    await Promise.all(this.devices.map((device) => device.command('ping', {}).catch(() => undefined)));
    const records = await Promise.all(this.rooms.map((room) => this.#record(room)));
    const verdict = judge(records, this.ledger.sends, this.#trails());
    await Promise.all(this.devices.map((device) => device.stop()));
    return verdict;
  }

  /** Ends all at once, whatever is under way. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.devices.map((device) => device.stop()));
  }

  /** Says a message, again and again while its fate is unknown. Resolves when it is settled, or given up. */
  async say(device: LoadDevice, room: string, random: Random, clientId = `${device.name}-${++this.#sends}`): Promise<Send> {
    const send = this.ledger.open(room, device.user, clientId);
    const text = `${clientId} ${'x'.repeat(this.options.textChars ?? 20)}`;
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      await device.send(send, text);
      const last = send.attempts.at(-1);
      if (last?.outcome === 'acked') return send;
      const share = last === undefined ? 1 : last.outcome === 'unknown' ? (this.options.retryShare ?? 0.75) : 0.5;
      const isHopeless = performance.now() > deadline || (last === undefined && this.#isOver);
      if (isHopeless || random.next() >= share) return send;
      await until(() => device.isReady || this.#isOver, 'the device is ready again', DEADLINE_MS).catch(() => undefined);
      await pause(10 + random.below(60));
    }
  }

  async #talk(device: LoadDevice, random: Random): Promise<void> {
    const { pauseMs = 40 } = this.options;
    while (!this.#isOver) {
      if (device.isReady) {
        const room = random.pick(this.rooms);
        const burst = random.below(5) === 0 ? 3 : 1;
        const said = await Promise.all(Array.from({ length: burst }, () => this.say(device, room, random)));
        const seq = said[0]!.attempts.at(-1)?.seq;
        if (seq !== undefined && random.below(8) === 0) {
          await device.command('message.edit', { room, seq, text: `edited ${random.below(1_000)}` }).catch(() => undefined);
        }
      }
      await pause(2 + random.below(pauseMs));
    }
  }

  #device(user: string, index: number): LoadDevice {
    const { cluster, rooms, ledger, options } = this;
    const all = options.instances ?? (() => cluster.wsUrls);
    const apart = () => (index < this.users.length / 2 ? all().slice(0, 1) : all().slice(1));
    return new LoadDevice({
      name: user,
      user,
      token: () => cluster.token(user, options.tokenSeconds, options.tokenAgeSeconds),
      instances: options.listenApart ? apart : all,
      rooms,
      random: new Random(this.#random.below(2 ** 31)),
      ledger,
      patienceMs: options.patienceMs ?? 15_000,
    });
  }

  async #record(room: string): Promise<RoomRecord> {
    const [owner, ...others] = this.users as [string, ...string[]];
    const first = new Map([[owner, 'owner'], ...others.map((user) => [user, 'member'] as const)]);
    return { room, isPrivate: true, first, ...(await this.cluster.recordOf(owner, room)) };
  }

  #trails(): Trail[] {
    return this.devices.flatMap((device) =>
      this.rooms.map((room) => ({
        viewer: device.name,
        room,
        followings: device.followings.get(room)!,
        copy: device.copies.get(room)!.messages,
      })),
    );
  }
}
