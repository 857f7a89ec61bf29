import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PresenceStore, VisibleChange } from '../../src/presence/presence-store.js';
import type { ChosenStatus, PresenceStatus } from '../../src/protocol/index.js';

export interface MadeStore {
  /** Empty, and nobody else's. */
  store: PresenceStore;
  close?: () => Promise<void>;
}

/** What every PresenceStore must do, whatever holds its state. */
export function describePresenceStore(name: string, makeStore: () => Promise<MadeStore>): void {
  describe(`presence store: ${name}`, () => {
    let made: MadeStore;
    let store: PresenceStore;
    let heard: VisibleChange[];

    beforeEach(async () => {
      made = await makeStore();
      store = made.store;
      heard = [];
      store.listen({ onChange: (change) => heard.push(change) });
    });
    afterEach(async () => made.close?.());

    it('shows a user from the first connection to the last', async () => {
      expect(await store.connect('ada', 'c1', 'online')).toMatchObject({ user: 'ada', status: 'online' });
      expect(await store.connect('ada', 'c2', 'online')).toBeNull();
      expect(await store.disconnect('ada', 'c1')).toBeNull();
      expect(await store.visible(['ada', 'bob'])).toEqual(new Map([['ada', 'online']]));
      expect(await store.disconnect('ada', 'c2')).toMatchObject({ user: 'ada', status: 'offline' });
      expect(await store.visible(['ada'])).toEqual(new Map());
      await until(() => expect(heard.map(({ status }) => status)).toEqual(['online', 'offline']));
    });

    it('dates a change', async () => {
      const before = Date.now();
      await store.connect('ada', 'c1', 'online');
      const change = await store.disconnect('ada', 'c1');
      expect(change!.at.getTime()).toBeGreaterThanOrEqual(before);
      expect(change!.at.getTime()).toBeLessThanOrEqual(Date.now());
      await until(() => expect(heard.at(-1)).toEqual(change));
    });

    it('applies the chosen status before online is announced', async () => {
      expect(await store.connect('ada', 'c1', 'busy')).toMatchObject({ status: 'busy' });
      await until(() => expect(heard.map(({ status }) => status)).toEqual(['busy']));
    });

    it('says nothing of an invisible user, whatever he does', async () => {
      expect(await store.connect('ada', 'c1', 'invisible')).toBeNull();
      expect(await store.connect('ada', 'c2', 'invisible')).toBeNull();
      expect(await store.visible(['ada'])).toEqual(new Map());
      expect(await all(store)).toEqual([]);
      expect(await store.disconnect('ada', 'c1')).toBeNull();
      expect(await store.disconnect('ada', 'c2')).toBeNull();
      await store.connect('bob', 'c3', 'online');
      await until(() => expect(heard.map(({ user }) => user)).toEqual(['bob']));
    });

    it('hides and shows a user who is connected', async () => {
      await store.connect('ada', 'c1', 'online');
      expect(await store.choose('ada', 'invisible')).toMatchObject({ status: 'offline' });
      expect(await store.choose('ada', 'invisible')).toBeNull();
      expect(await store.choose('ada', 'away')).toMatchObject({ status: 'away' });
    });

    it('lets the choice of a connected user outlive a connection that knows an older one', async () => {
      await store.connect('ada', 'c1', 'online');
      await store.choose('ada', 'invisible');
      expect(await store.connect('ada', 'c2', 'online')).toBeNull();
      expect(await store.visible(['ada'])).toEqual(new Map());
    });

    it('keeps nothing of a user who is not connected', async () => {
      expect(await store.choose('ada', 'busy')).toBeNull();
      expect(await store.connect('ada', 'c1', 'online')).toMatchObject({ status: 'online' });
      await store.choose('ada', 'busy');
      await store.disconnect('ada', 'c1');
      expect(await store.connect('ada', 'c2', 'online')).toMatchObject({ status: 'online' });
    });

    it('takes a connection twice, and an unknown one, as no change', async () => {
      await store.connect('ada', 'c1', 'online');
      expect(await store.connect('ada', 'c1', 'online')).toBeNull();
      expect(await store.disconnect('ada', 'other')).toBeNull();
      expect(await store.disconnect('bob', 'c1')).toBeNull();
      expect(await store.disconnect('ada', 'c1')).toMatchObject({ status: 'offline' });
    });

    it('keeps the order of calls that are not waited for', async () => {
      const calls = [
        store.connect('ada', 'c1', 'online'),
        store.choose('ada', 'away'),
        store.disconnect('ada', 'c1'),
        store.connect('ada', 'c2', 'busy'),
      ];
      const statuses = (await Promise.all(calls)).map((change) => change?.status);
      expect(statuses).toEqual(['online', 'away', 'offline', 'busy']);
      await until(() => expect(heard.map(({ status }) => status)).toEqual(statuses));
    });

    it('names each of many online users once', async () => {
      const users = Array.from({ length: 4_500 }, (_, index) => `user-${index}`);
      await Promise.all(users.map((user) => store.connect(user, `c-${user}`, user.endsWith('7') ? 'invisible' : 'online')));
      expect((await all(store)).sort()).toEqual(users.filter((user) => !user.endsWith('7')).sort());
    });

    it('takes user ids that look like something else', async () => {
      const users = ['__proto__', 'constructor', 'a:b', 'a*', '{x}', '😀', ' '];
      for (const user of users) await store.connect(user, `c-${user}`, 'online');
      expect((await all(store)).sort()).toEqual([...users].sort());
      expect((await store.visible(users)).size).toBe(users.length);
    });

    it('stops telling a listener that has gone', async () => {
      const late: VisibleChange[] = [];
      const stop = store.listen({ onChange: (change) => late.push(change) });
      stop();
      await store.connect('ada', 'c1', 'online');
      await until(() => expect(heard).toHaveLength(1));
      expect(late).toEqual([]);
    });

    it('agrees with the model, and announces exactly the changes of what is visible', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const own = await makeStore();
          try {
            await compareWithModel(own.store, steps);
          } finally {
            await own.close?.();
          }
        }),
        { numRuns: 100 },
      );
    });
  });
}

type Step =
  | { act: 'connect'; user: string; connection: string; status: ChosenStatus }
  | { act: 'disconnect'; user: string; connection: string }
  | { act: 'choose'; user: string; status: ChosenStatus };

const USERS = ['ada', 'bob'];
const user = fc.constantFrom(...USERS);
const connection = fc.constantFrom('1', '2', '3');
const status = fc.constantFrom<ChosenStatus>('online', 'away', 'busy', 'invisible');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ act: fc.constant('connect' as const), user, connection, status }),
  fc.record({ act: fc.constant('disconnect' as const), user, connection }),
  fc.record({ act: fc.constant('choose' as const), user, status }),
);

/** The contract in its simplest form: the connections of each user, and what was chosen while there were any. */
class Model {
  readonly #open = new Map<string, { connections: Set<string>; chosen: ChosenStatus }>();

  take(step: Step): void {
    const open = this.#open.get(step.user) ?? { connections: new Set<string>(), chosen: 'online' as ChosenStatus };
    if (step.act === 'connect') {
      if (open.connections.size === 0) open.chosen = step.status;
      open.connections.add(step.connection);
    } else if (step.act === 'disconnect') {
      open.connections.delete(step.connection);
    } else {
      open.chosen = step.status;
    }
    this.#open.set(step.user, open);
  }

  visible(user: string): PresenceStatus {
    const open = this.#open.get(user);
    return !open || open.connections.size === 0 || open.chosen === 'invisible' ? 'offline' : open.chosen;
  }
}

async function compareWithModel(store: PresenceStore, steps: Step[]): Promise<void> {
  const model = new Model();
  const heard: [string, PresenceStatus][] = [];
  const expected: [string, PresenceStatus][] = [];
  store.listen({ onChange: (change) => heard.push([change.user, change.status]) });
  for (const step of steps) {
    const before = model.visible(step.user);
    model.take(step);
    const after = model.visible(step.user);
    const change = await run(store, step);
    expect(change?.status ?? null).toBe(after === before ? null : after);
    if (after !== before) expected.push([step.user, after]);
    const online = USERS.filter((name) => model.visible(name) !== 'offline');
    expect(await store.visible(USERS)).toEqual(new Map(online.map((name) => [name, model.visible(name)])));
    expect((await all(store)).sort()).toEqual(online);
  }
  for (const name of USERS) {
    const own = ([who]: [string, PresenceStatus]) => who === name;
    await until(() => expect(heard.filter(own)).toEqual(expected.filter(own)));
  }
}

function run(store: PresenceStore, step: Step): Promise<VisibleChange | null> {
  // Ids of connections are unique over all users.
  if (step.act === 'connect') return store.connect(step.user, `${step.user}-${step.connection}`, step.status);
  if (step.act === 'disconnect') return store.disconnect(step.user, `${step.user}-${step.connection}`);
  return store.choose(step.user, step.status);
}

async function all(store: PresenceStore): Promise<string[]> {
  const users: string[] = [];
  for await (const part of store.online()) users.push(...part);
  return users;
}

/** A store may announce a little later than it answers. */
async function until(check: () => void): Promise<void> {
  const deadline = Date.now() + 2_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
