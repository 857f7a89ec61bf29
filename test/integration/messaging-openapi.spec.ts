import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { type MessagingApp, startMessagingApp } from '../support/messaging-app.js';

let server: MessagingApp;
let document: OpenAPIObject;

beforeAll(async () => {
  server = await startMessagingApp();
  document = SwaggerModule.createDocument(server.app, new DocumentBuilder().addBearerAuth().build());
});

afterAll(() => server.close());

describe('the OpenAPI document', () => {
  it('has every route about messages, with its parameters and errors', () => {
    const routes = Object.entries(document.paths)
      .filter(([path]) => /\/(messages|events|read)\b/.test(path))
      .flatMap(([path, item]) =>
        Object.entries(item as Record<string, { responses: object; parameters: { name: string }[] }>).map(
          ([method, { responses, parameters }]) => [
            `${method} ${path}`,
            [...parameters.map(({ name }) => name), ...Object.keys(responses)].join(' '),
          ],
        ),
      );
    expect(Object.fromEntries(routes)).toEqual({
      'get /v1/rooms/{room}/messages': 'room before after around limit 200 400 401 403 404 429 500 503 504',
      'post /v1/rooms/{room}/messages': 'room Idempotency-Key 200 201 400 401 403 404 409 413 429 500 503 504',
      'get /v1/rooms/{room}/messages/{seq}': 'room seq 200 400 401 403 404 429 500 503 504',
      'patch /v1/rooms/{room}/messages/{seq}': 'room seq 200 400 401 403 404 409 413 429 500 503 504',
      'delete /v1/rooms/{room}/messages/{seq}': 'room seq 200 400 401 403 404 409 429 500 503 504',
      'put /v1/rooms/{room}/read': 'room 200 400 401 403 404 413 429 500 503 504',
      'get /v1/rooms/{room}/events': 'room after limit 200 400 401 403 404 410 429 500 503 504',
    });
  });

  it('has an example for every field of a message', () => {
    const { MessageBody } = document.components!.schemas as Record<string, { properties: Record<string, object>; required: string[] }>;
    for (const [name, field] of Object.entries(MessageBody!.properties)) {
      expect([name, 'example' in field]).toEqual([name, true]);
      expect(MessageBody!.required).toContain(name);
    }
  });
});
