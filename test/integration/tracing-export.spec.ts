import { describe, expect, it } from '@jest/globals';
import { ChatServer } from '../support/chat-server.js';
import { newParent, OtlpReceiver, SERVER } from '../support/otlp-receiver.js';
import { until } from '../support/until.js';

describe('the form of traces', () => {
  it('is protobuf by default, at the URL that is set, and what is left is sent when the server stops', async () => {
    const collector = await OtlpReceiver.start();
    const server = await ChatServer.start({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/otlp/traces`,
      OTEL_SERVICE_NAME: 'chat',
      OTEL_BSP_SCHEDULE_DELAY: '60000',
    });
    const room = await server.room('ann', 'private');
    const ann = await server.connect('ann');
    await ann.command('room.subscribe', { room });
    await ann.command('message.send', { room, clientId: 'c', text: 'hello' });
    await until(() => ann.events(room).length === 1, 'it came');
    expect(collector.posts).toEqual([]);
    await server.close();
    for (const { path, headers } of collector.posts) {
      expect([path, headers['content-type']]).toEqual(['/otlp/traces', 'application/x-protobuf']);
    }
    const frame = collector.spans.find(({ name }) => name === 'message.send')!;
    expect(frame).toMatchObject({
      kind: SERVER,
      parentSpanId: '',
      attributes: { 'parley.room': room },
      resource: { 'service.name': 'chat' },
    });
    expect(
      collector
        .trace(frame.traceId)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['commit', 'deliver', 'message.send', 'publish message.created']);
    collector.stop();
  });

  it.each([
    ['traceidratio', '0', 0],
    ['parentbased_traceidratio', '0', 1],
    ['always_off', '1', 0],
    ['always_on', '1', 2],
  ])('is sampled as OTEL_TRACES_SAMPLER=%s and its ARG=%s say', async (sampler, arg, count) => {
    const collector = await OtlpReceiver.start();
    const server = await ChatServer.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: arg,
    });
    const { trace, traceparent } = newParent(true);
    await server.http('ann', 'GET', '/v1/me', undefined, { traceparent });
    await server.http('ann', 'GET', '/v1/me');
    await server.close();
    expect(collector.spans).toHaveLength(count);
    expect(collector.trace(trace)).toHaveLength(Math.min(count, 1));
    collector.stop();
  });
});
