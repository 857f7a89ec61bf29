import type { IncomingMessage } from 'node:http';
import { ChatError } from './chat-error.js';

/** More than any honest client sends; Node's own bound is on bytes. */
const MAX_HEADERS = 100;

/** Of requests and of upgrades. @throws {ChatError} validation_failed */
export function assertFewHeaders(request: IncomingMessage): void {
  if (request.rawHeaders.length / 2 > MAX_HEADERS) throw new ChatError('validation_failed', 'The request has too many headers.');
}
