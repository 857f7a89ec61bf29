import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { AdministratorClient } from '../support/administrator.js';
import { ChatServer } from '../support/chat-server.js';

let server: ChatServer;

beforeAll(async () => {
  server = await ChatServer.start({ ROOM_MEMBERS_MAX: '3', ROOMS_PER_USER: '2' });
});
afterAll(() => server.close());

const join = (user: string, room: string) => server.http(user, 'POST', `/v1/rooms/${room}/join`);
const make = (user: string, members: string[] = []) => server.http(user, 'POST', '/v1/rooms', { type: 'public', members });

it('line 34: a room has no more members than ROOM_MEMBERS_MAX, whichever way they come', async () => {
  const room = await server.room('o1', 'public');
  const statuses = await Promise.all(['a', 'b', 'c', 'd'].map(async (user) => (await join(user, room)).status));
  expect(statuses.sort()).toEqual([200, 200, 409, 409]);
  expect((await server.http('o1', 'PUT', `/v1/rooms/${room}/members/e`, { role: 'member' })).status).toBe(409);
  expect((await make('o2', ['f', 'g', 'h'])).status).toBe(409);
});

it('line 34: a user is in no more rooms than ROOMS_PER_USER, by joining, making and being added, all at once too', async () => {
  const rooms = [await server.room('p1', 'public'), await server.room('p2', 'public'), await server.room('p3', 'public')];
  const acts = [
    ...rooms.map((room) => () => join('eager', room)),
    () => make('eager'),
    () => make('p4', ['eager']),
    () => server.http('p1', 'PUT', `/v1/rooms/${rooms[0]!}/members/eager`, { role: 'member' }),
  ];
  const answers = await Promise.all(acts.map((act) => act()));
  for (const { status, body } of answers.filter(({ status }) => status >= 400)) expect([status, body.code]).toEqual([409, 'conflict']);
  const mine = async () => (await server.http('eager', 'GET', '/v1/me/rooms')).body.items as { room: { id: string } }[];
  const there = await mine();
  expect(there).toHaveLength(2);
  // Who is in already is told so, and a room that is left makes room.
  const joined = there[0]!.room.id;
  expect((await join('eager', joined)).status).toBe(200);
  expect((await make('eager')).status).toBe(409);
  expect(await mine()).toHaveLength(2);
});

it('why nobody more may come in is explained as it is told', async () => {
  const root = new AdministratorClient(server);
  const full = await server.room('r1', 'public', ['r2', 'r3']);
  const free = await server.room('r4', 'public');
  await server.room('busy', 'public');
  await server.room('busy', 'public');
  const explained = async (query: string) => {
    const { verdict, words } = await root.done('GET', `/access?${query}`);
    return [verdict, words];
  };
  const told = ({ body }: Awaited<ReturnType<typeof join>>) => [body.code ?? 'allow', body.message ?? null];
  const add = (by: string, room: string, user: string) => server.http(by, 'PUT', `/v1/rooms/${room}/members/${user}`, { role: 'member' });
  for (const [user, room] of [
    ['new', full],
    ['busy', full],
    ['busy', free],
    ['new', free],
  ] as const) {
    const owner = room === full ? 'r1' : 'r4';
    expect(await explained(`user=${owner}&room=${room}&action=member.set&target=${user}`)).toEqual(told(await add(owner, room, user)));
    if (user === 'new') await server.http(owner, 'DELETE', `/v1/rooms/${room}/members/new`);
    expect(await explained(`user=${user}&room=${room}&action=room.join`)).toEqual(told(await join(user, room)));
  }
});

it('the retry of a creation that was answered is no second one, and the cap does not stand in its way', async () => {
  const create = () => server.http('maker', 'POST', '/v1/rooms', { type: 'private' }, { 'idempotency-key': 'same' });
  const { body } = await create();
  expect((await make('maker')).status).toBe(201);
  expect(await create()).toMatchObject({ status: 200, body: { id: (body as { id: string }).id } });
  expect((await make('maker')).status).toBe(409);
});
