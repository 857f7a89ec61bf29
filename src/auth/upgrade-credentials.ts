import type { IncomingMessage } from 'node:http';
import { ChatError } from '../errors/chat-error.js';
import { looksLikeApiKey } from './api-keys.service.js';

/** What an upgrade request shows of its user. */
export interface Credentials {
  kind: 'token' | 'ticket';
  value: string;
}

export interface LadderOptions {
  /** Whether `?access_token=` counts. */
  queryToken: boolean;
}

const SUBPROTOCOL = 'parley.v1';
const BEARER_PROTOCOL = 'bearer.';

/**
 * Reads the credentials of an upgrade. The first that is present decides, good or bad: `Authorization`, then the subprotocol
 * `bearer.<jwt>` beside `parley.v1`, then `?ticket=`, then `?access_token=`, which is for tokens and not for API keys.
 * @throws {ChatError} `validation_failed` for `bearer.` without `parley.v1`, or twice; `unauthenticated` when there are none, in a bad form, or
 * where they do not belong
 */
export function readUpgradeCredentials(request: Pick<IncomingMessage, 'headers' | 'url'>, options: LadderOptions): Credentials {
  const { authorization } = request.headers;
  if (authorization !== undefined) return credentials('token', bearerToken(authorization));
  const protocolToken = subprotocolToken(request.headers['sec-websocket-protocol']);
  if (protocolToken !== null) return credentials('token', protocolToken);
  const query = new URLSearchParams(queryOf(request.url ?? ''));
  if (query.has('ticket')) return credentials('ticket', onlyOne(query.getAll('ticket')));
  if (options.queryToken && query.has('access_token')) return shortLived(credentials('token', onlyOne(query.getAll('access_token'))));
  throw new ChatError('unauthenticated', 'An access token or a ticket is needed.');
}

/** The token of an `Authorization` header; null when there is none, or another scheme. */
export function bearerToken(authorization: string | undefined): string | null {
  return /^bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

function credentials(kind: Credentials['kind'], value: string | null): Credentials {
  if (value === null || value === '') throw new ChatError('unauthenticated', 'The credentials are not in a form that this server knows.');
  return { kind, value };
}

// Whatever is in between keeps URLs, and a key lives for months; who has one can send a header.
function shortLived(found: Credentials): Credentials {
  if (!looksLikeApiKey(found.value)) return found;
  throw new ChatError('unauthenticated', 'An API key is not taken from a URL, which others log: send it as Authorization: Bearer <key>.');
}

function subprotocolToken(header: string | undefined): string | null {
  const offered = (header ?? '').split(',').map((name) => name.trim());
  const tokens = offered.filter((name) => name.startsWith(BEARER_PROTOCOL));
  if (tokens.length === 0) return null;
  if (tokens.length > 1 || !offered.includes(SUBPROTOCOL)) {
    throw new ChatError('validation_failed', `One ${BEARER_PROTOCOL}<token> must be offered together with ${SUBPROTOCOL}.`);
  }
  return tokens[0]!.slice(BEARER_PROTOCOL.length);
}

function queryOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

// Two values of one name are read differently by different programs: neither counts.
function onlyOne(values: string[]): string | null {
  return values.length === 1 ? values[0]! : null;
}
