import type { IncomingMessage } from 'node:http';
import { ChatError } from '../errors/chat-error.js';

/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** An HTTP token: the name of a subprotocol. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Refuses what ws would refuse when it is handed the socket, which is too late: a ticket would be used up, and the answer no JSON.
 * @throws {ChatError} validation_failed
 */
export function assertHandshake({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): void {
  if (method !== 'GET') throw refused('The method of an upgrade is GET.');
  if (headers.upgrade?.toLowerCase() !== 'websocket') throw refused('Upgrade must be websocket.');
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) throw refused('Sec-WebSocket-Key must be 16 bytes in base64.');
  if (headers['sec-websocket-version'] !== '13') throw refused('Sec-WebSocket-Version must be 13.');
  const offered = headers['sec-websocket-protocol'];
  if (offered !== undefined && !isTokenList(offered)) throw refused('Sec-WebSocket-Protocol must name subprotocols, each once.');
}

function isTokenList(header: string): boolean {
  const names = header.split(',').map((name) => name.replace(/^[ \t]+|[ \t]+$/g, ''));
  return names.every((name) => TOKEN.test(name)) && new Set(names).size === names.length;
}

function refused(message: string): ChatError {
  return new ChatError('validation_failed', message);
}
