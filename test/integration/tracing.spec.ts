import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RoomBus } from '../../src/bus/room-bus.js';
import { Lifecycle } from '../../src/config/lifecycle.js';
import type { ChatClient } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { CLIENT, CONSUMER, newParent, OtlpReceiver, PRODUCER, type ReceivedSpan, SERVER } from '../support/otlp-receiver.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { administer } from '../support/test-postgres.js';
import { TestRedis } from '../support/test-redis.js';
import { until } from '../support/until.js';

const ERROR = 2;

describe('traces of two instances that are joined by Redis', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let collector: OtlpReceiver;
  let a: ChatServer;
  let b: ChatServer;
  let untraced: ChatServer;
  let room: string;
  let ann: ChatClient;
  let carl: ChatClient;
  let bob: ChatClient;
  let made = 0;
  let lastId = 1_000;

  beforeAll(async () => {
    [database, redis, collector] = await Promise.all([createTestDatabase(), TestRedis.start(), OtlpReceiver.start()]);
    const joined = { DATABASE_URL: database.url, REDIS_URL: redis.url };
    const traced = {
      ...joined,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=k%2C1',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=a%20test',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    };
    [a, b, untraced] = [await ChatServer.start(traced), await ChatServer.start(traced), await ChatServer.start(joined)];
    await until(() => [a, b, untraced].every((server) => server.get(RoomBus).health().status === 'up'), 'all are joined');
  });
  afterAll(async () => {
    await Promise.all([a.close(), b.close(), untraced.close()]);
    collector.stop();
    await redis.stop();
    await database.drop();
  });
  beforeEach(async () => {
    made++;
    room = await a.room(`ann${made}`, 'private', [`carl${made}`, `bob${made}`, `dora${made}`]);
    [ann, carl, bob] = await Promise.all([a.connect(`ann${made}`), a.connect(`carl${made}`), b.connect(`bob${made}`)]);
    for (const client of [ann, carl, bob]) await client.command('room.subscribe', { room });
  });

  const instanceOf = (server: ChatServer) => server.get(Lifecycle).instanceId;
  const whereOf = ({ resource }: ReceivedSpan) => resource['service.instance.id'];
  const ofName = (spans: ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);

  /** The spans of the trace, once there are so many. */
  async function traceOf(traceId: string, spans: number): Promise<ReceivedSpan[]> {
    await until(() => collector.trace(traceId).length >= spans, `${spans} spans of the trace have come`);
    return collector.trace(traceId);
  }

  /** Sends a command with a traceparent beside its data, and waits for the answer. */
  async function commandIn(traceparent: string, event: string, data: object): Promise<void> {
    const id = ++lastId;
    const answer = ann.next((frame) => frame.id === id);
    ann.raw(JSON.stringify({ id, event, data, traceparent }));
    await answer;
  }

  const isOfRoom = (span: ReceivedSpan) => span.attributes['parley.room'] === room;

  it('follow a message from its frame on one to its delivery on both, in one trace', async () => {
    await ann.command('message.send', { room, clientId: 'c', text: 'hello' });
    await until(() => bob.events(room).length === 1, 'it came');
    const frame = await collector.span('message.send', isOfRoom);
    const spans = await traceOf(frame.traceId, 5);
    expect(spans).toHaveLength(5);
    expect(frame).toMatchObject({ kind: SERVER, parentSpanId: '', status: 0 });
    const [commit] = ofName(spans, 'commit');
    expect(commit).toMatchObject({ kind: CLIENT, parentSpanId: frame.spanId, attributes: { 'db.operation.batch.size': 1 } });
    const [publish] = ofName(spans, 'publish message.created');
    expect(publish).toMatchObject({
      kind: PRODUCER,
      parentSpanId: frame.spanId,
      attributes: { 'messaging.destination.name': room, 'messaging.message.id': '1' },
    });
    const delivered = ofName(spans, 'deliver');
    for (const span of delivered) expect(span).toMatchObject({ kind: CONSUMER, parentSpanId: publish!.spanId });
    expect(delivered.map((span) => [whereOf(span), span.attributes['parley.receivers']]).sort()).toEqual(
      [
        [instanceOf(a), 2],
        [instanceOf(b), 1],
      ].sort(),
    );
    for (const span of [frame, commit!, publish!]) expect(whereOf(span)).toBe(instanceOf(a));
  });

  it('have times that follow each other, on one clock', async () => {
    await ann.command('message.send', { room, clientId: 'c', text: 'hello' });
    const frame = await collector.span('message.send', isOfRoom);
    const spans = await traceOf(frame.traceId, 5);
    for (const span of spans) expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
    // A tenth of a millisecond is what reading two clocks one after the other may come to.
    const inside = (outer: ReceivedSpan, inner: ReceivedSpan) =>
      outer.startNs <= inner.startNs + 100_000n && inner.endNs <= outer.endNs + 100_000n;
    const [commit, publish] = [ofName(spans, 'commit')[0]!, ofName(spans, 'publish message.created')[0]!];
    expect([inside(frame, commit), inside(frame, publish)]).toEqual([true, true]);
    expect(publish.startNs + 100_000n).toBeGreaterThanOrEqual(commit.endNs);
    for (const span of ofName(spans, 'deliver')) expect(span.endNs).toBeGreaterThan(publish.startNs);
  });

  it('say which server it was, and carry the headers that were set', async () => {
    await ann.command('ping');
    const { resource } = await collector.span('ping');
    expect(resource).toMatchObject({
      'service.name': 'parley',
      'service.version': '0.1.0',
      'deployment.environment.name': 'a test',
    });
    expect(collector.posts.length).toBeGreaterThan(0);
    for (const { path, headers } of collector.posts) expect([path, headers['x-collector-key']]).toEqual(['/v1/traces', 'k,1']);
  });

  it('go on with the trace of a REST request', async () => {
    const { trace, span, traceparent } = newParent(true);
    const headers = { 'idempotency-key': 'k', traceparent };
    const { status } = await a.http(`ann${made}`, 'POST', `/v1/rooms/${room}/messages`, { text: 'hello' }, headers);
    expect(status).toBe(201);
    const spans = await traceOf(trace, 5);
    const [request] = ofName(spans, 'POST /v1/rooms/:room/messages');
    expect(request).toMatchObject({ kind: SERVER, parentSpanId: span, status: 0 });
    expect(request!.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/rooms/:room/messages',
      'http.response.status_code': 201,
      'parley.room': room,
      'parley.request': expect.any(String),
    });
    const [publish] = ofName(spans, 'publish message.created');
    for (const child of [publish!, ofName(spans, 'commit')[0]!]) expect(child.parentSpanId).toBe(request!.spanId);
    expect(
      ofName(spans, 'deliver')
        .map((one) => [one.parentSpanId, whereOf(one)])
        .sort(),
    ).toEqual([a, b].map((server) => [publish!.spanId, instanceOf(server)]).sort());
  });

  it('go on with the trace that a frame names, and begin one where it names none that can be read', async () => {
    const { trace, span, traceparent } = newParent(true);
    await commandIn(traceparent, 'message.send', { room, clientId: 'c', text: 'hello' });
    const spans = await traceOf(trace, 5);
    expect(ofName(spans, 'message.send')).toMatchObject([{ parentSpanId: span }]);
    expect(ofName(spans, 'deliver')).toHaveLength(2);
    await commandIn('00-nonsense-01', 'message.edit', { room, seq: 1, text: 'hello again' });
    expect(await collector.span('message.edit', isOfRoom)).toMatchObject({ parentSpanId: '' });
  });

  it('are not made of what its caller does not sample, here or on the other instance', async () => {
    const [frame, request] = [newParent(false), newParent(false)];
    await commandIn(frame.traceparent, 'message.send', { room, clientId: 'c', text: 'hello' });
    const headers = { 'idempotency-key': 'k', traceparent: request.traceparent };
    await a.http(`ann${made}`, 'POST', `/v1/rooms/${room}/messages`, { text: 'hello' }, headers);
    await ann.command('message.send', { room, clientId: 'last', text: 'sampled' });
    await until(() => bob.events(room).length === 3, 'all came');
    // What came before it has been exported with it, or before it.
    const last = await collector.span('message.send', isOfRoom);
    await traceOf(last.traceId, 5);
    expect([...collector.trace(frame.trace), ...collector.trace(request.trace)]).toEqual([]);
    expect(collector.spans.filter(isOfRoom).filter(({ name }) => name === 'message.send')).toHaveLength(1);
  });

  it('keep the messages of one batch apart: each has a commit and a way of its own', async () => {
    const count = 30;
    await Promise.all(Array.from({ length: count }, (_, n) => ann.command('message.send', { room, clientId: `c${n}`, text: 'hello' })));
    await until(() => bob.events(room).length === count, 'all came');
    const frames = () => collector.spans.filter((span) => span.name === 'message.send' && isOfRoom(span));
    await until(() => frames().length === count, 'all frames have come');
    expect(new Set(frames().map(({ traceId }) => traceId)).size).toBe(count);
    const seqs = new Set<unknown>();
    const batches: number[] = [];
    for (const frame of frames()) {
      const spans = await traceOf(frame.traceId, 5);
      const [publish] = ofName(spans, 'publish message.created');
      const delivered = ofName(spans, 'deliver');
      expect(delivered.map((span) => [span.parentSpanId, span.attributes['messaging.message.id']])).toEqual(
        [0, 1].map(() => [publish!.spanId, publish!.attributes['messaging.message.id']]),
      );
      seqs.add(publish!.attributes['messaging.message.id']);
      batches.push(Number(ofName(spans, 'commit')[0]!.attributes['db.operation.batch.size']));
    }
    expect(seqs.size).toBe(count);
    expect(Math.max(...batches)).toBeGreaterThan(1);
  });

  it('follow what else is done in a room: edits, and who joins', async () => {
    await ann.command('message.send', { room, clientId: 'c', text: 'hello' });
    await ann.command('message.edit', { room, seq: 1, text: 'hello again' });
    const edit = await collector.span('message.edit', isOfRoom);
    const names = (spans: ReceivedSpan[]) => spans.map(({ name }) => name).sort();
    expect(names(await traceOf(edit.traceId, 5))).toEqual(['commit', 'deliver', 'deliver', 'message.edit', 'publish message.updated']);

    const open = await a.room(`ann${made}`, 'public');
    await bob.command('room.subscribe', { room: open });
    await carl.command('room.join', { room: open });
    const join = await collector.span('room.join', ({ attributes }) => attributes['parley.room'] === open);
    expect(names(await traceOf(join.traceId, 4))).toEqual(['commit', 'deliver', 'publish member.joined', 'room.join']);
  });

  it('name what went wrong, as an error where the server is at fault', async () => {
    const { trace: refused, traceparent } = newParent(true);
    await commandIn(traceparent, 'message.edit', { room, seq: 77, text: 'x' });
    const frame = ofName(await traceOf(refused, 2), 'message.edit')[0]!;
    expect([frame.status, frame.attributes['error.type']]).toEqual([0, 'not_found']);
    const { trace: unknown, traceparent: parent } = newParent(true);
    expect((await a.http(`ann${made}`, 'GET', `/v1/rooms/${room}/messages/77`, undefined, { traceparent: parent })).status).toBe(404);
    expect(await traceOf(unknown, 1)).toMatchObject([{ status: 0, attributes: { 'error.type': '404' } }]);

    const { trace: failed, traceparent: failing } = newParent(true);
    await administer(database.url, 'ALTER TABLE messages RENAME TO gone');
    await commandIn(failing, 'message.send', { room, clientId: 'c', text: 'x' });
    await administer(database.url, 'ALTER TABLE gone RENAME TO messages');
    const spans = await traceOf(failed, 2);
    expect(spans.map(({ name }) => name).sort()).toEqual(['commit', 'message.send']);
    for (const span of spans) expect([span.status, span.attributes['error.type']]).toEqual([ERROR, 'internal']);
  });

  it('have no text, token, ticket or query in them', async () => {
    const name = `ann${made}`;
    const token = a.test.token(name);
    const { body } = await a.http(name, 'POST', '/v1/auth/tickets');
    const { ticket } = body as { ticket: string };
    await a.http(name, 'GET', `/v1/me?access_token=${token}&ticket=${ticket}`);
    await a.http(null, 'POST', '/v1/auth/login', { username: 'nobody', password: 'a very secret password' });
    await a.http(null, 'GET', `/v1/no-such-route/${ticket}?q=very-secret`);
    await ann.command('message.send', {
      room,
      clientId: 'very-secret-client-id',
      text: 'very secret words',
      meta: { very: 'secret meta' },
    });
    await ann.command('auth.refresh', { token });
    const last = await collector.span('auth.refresh');
    expect(last.status).toBe(0);
    const all = Buffer.concat(collector.posts.map((post) => post.body)).toString();
    expect(all).toContain('/v1/auth/tickets');
    for (const secret of [token, token.split('.')[2]!, ticket, 'very', 'secret', name]) expect(all).not.toContain(secret);
  });

  it('cross the bus by a message of their own ahead of the note, and only when something is traced', async () => {
    const listener = new Redis(redis.url);
    const kinds: number[] = [];
    listener.on('pmessageBuffer', (_pattern: Buffer, channel: Buffer, message: Buffer) => {
      if (channel.toString().includes(room)) kinds.push(message[1]!);
    });
    await listener.psubscribe('parley:room:*');
    await ann.command('message.send', { room, clientId: 'c1', text: 'hello' });
    await commandIn(newParent(false).traceparent, 'message.send', { room, clientId: 'c2', text: 'hello' });
    const dora = await untraced.connect(`dora${made}`);
    await dora.command('room.subscribe', { room });
    await dora.command('message.send', { room, clientId: 'c3', text: 'hello' });
    const isTraces = (kind: number) => kind === 6;
    const ofNotes = () => kinds.filter((kind) => kind === 1 || isTraces(kind));
    await until(() => kinds.filter((kind) => kind === 1).length === 3, 'all notes have passed');
    expect(ofNotes()).toEqual([6, 1, 1, 1]);
    listener.disconnect();

    // To an instance without traces they are nothing: it hears the message at once, and says nothing of it to the collector.
    await ann.command('message.send', { room, clientId: 'c4', text: 'hello' });
    await until(() => dora.events(room).length === 2, 'both came');
    expect(collector.spans.filter((span) => whereOf(span) === instanceOf(untraced))).toEqual([]);
    dora.socket.close();
  });
});
