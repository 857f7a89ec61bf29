import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const HARMLESS = /^[\w.-]{1,64}$/;

/** By which a request, or an upgrade, is found again: the caller's own `x-request-id` when it is harmless, else a new one. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && HARMLESS.test(given) ? given : randomUUID();
}
