import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { describeRateLimits } from './openapi-rate-limits.js';
import { describeScopes } from './openapi-scopes.js';

const DESCRIPTION = `
A chat backend in which **every room is an ordered, durable log**. This is its HTTP face; live events and commands go over the WebSocket at \`/ws\`.

### Who calls

\`Authorization: Bearer\` takes an access token or a backend's API key (\`pk_…\`). By a key the backend is its own bot user, or, with the scope \`users:act\`, the user whom the header
\`Parley-User\` names, percent-encoded.

### Order: \`seq\`, \`lastSeq\` and \`epoch\`

Each room numbers its durable events (messages, edits, deletions, membership, settings) by one gapless \`seq\`, from 1. A message is named by its room
and its \`seq\`. \`headSeq\` is the newest event's number, \`firstSeq\` the oldest that is still kept. A message's \`lastSeq\` is the number of the last event that it
reflects: ignore an event about a message whose \`seq\` is not above that message's \`lastSeq\`, and pages, replays and live events merge in any order.
\`epoch\` changes only when numbers could have been used twice, after a restore: a client that sees another one drops what it holds of the room.

### Pages and cursors

Messages and events are paged by \`seq\`: \`before\`, \`after\` and \`around\` (exclusive, exclusive, centred), ascending in the answer; without any of them the newest
page comes. A page ends early when it gets large, but has at least one item; \`hasBefore\` and \`hasAfter\` say whether there is more.
All other lists answer \`{items, nextCursor}\`: hand \`nextCursor\` back as \`cursor\` until it is null. A cursor is opaque, holds for the list that it came from, and stays valid
while the list changes: what is there throughout is seen once.

### Errors, retries and limits

Errors are \`{code, message, details?, requestId}\`; programs go by \`code\`. \`rate_limited\`, \`unavailable\`, \`timeout\` and \`internal\` may be tried again, after
\`Retry-After\` where it is given. \`rate_limited\` means certainly not done; the \`RateLimit\` headers tell what is left, and of a refusal which limit it was. Sending a message, making a room or an API key, and telling a notice take an \`Idempotency-Key\`, so that trying again never does it twice.
Lengths are counted in UTF-16 code units; unknown fields are refused, in bodies and in queries, also where a route takes none.
`.trim();

/** The whole HTTP interface. It needs the application initialised. */
function openApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Parley')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'An access token of /v1/auth/login, of your own backend or of your identity provider; or an API key.',
    })
    .addTag('auth', 'Local accounts, tokens and tickets')
    .addTag('users', 'The caller and other users')
    .addTag('rooms', 'Rooms, members and access')
    .addTag('messages', 'Messages, history, the log and read marks')
    .addTag('reports', 'What users report, and what moderators make of it')
    .addTag('admin', 'Acts of administrators')
    .addTag('health', 'Probes for orchestrators')
    .build();
  const document = SwaggerModule.createDocument(app, builder);
  describeScopes(document);
  describeRateLimits(document);
  return document;
}

/** Serves Swagger UI at /docs and the document at /openapi.json, to anybody. */
export function serveOpenApi(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app), { jsonDocumentUrl: 'openapi.json', customSiteTitle: 'Parley API' });
}
