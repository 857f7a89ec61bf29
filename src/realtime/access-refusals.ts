import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { AuditLog } from '../audit/audit-log.js';
import { actorOf, MAX_CHARS } from '../audit/audited-request.js';
import type { Claimed } from '../auth/authenticator.js';
import { Config } from '../config/config.js';
import type { ChatError } from '../errors/chat-error.js';
import { clientAddress } from '../limits/client-address.js';
import type { Session } from './session.js';

/** What is wrong with a handshake itself, or with the server, says nothing of who asks. */
const REFUSALS = new Set(['unauthenticated', 'forbidden']);

/**
 * Writes into the audit log who was not let in to a socket, or not let stay. Nothing waits for it, a failure to write is logged, and a
 * flood is folded, as all refusals are. What a room's rules forbid on an open socket is no entry, as over REST.
 */
@Injectable()
export class AccessRefusals {
  constructor(
    private readonly log: AuditLog,
    private readonly config: Config,
  ) {}

  /** Of a handshake: an Origin, a token or ticket, or a user. Other errors are no refusals, and are not written. */
  noteHandshake(request: IncomingMessage & Claimed, requestId: string, { code, message }: ChatError): void {
    if (!REFUSALS.has(code)) return;
    const origin = request.headers.origin?.slice(0, MAX_CHARS);
    void this.log.note({
      action: 'access.handshake',
      outcome: 'denied',
      actor: actorOf(request),
      target: null,
      address: clientAddress(request, this.config.trustedProxies),
      requestId,
      details: { code, message, ...(origin !== undefined && { origin }) },
    });
  }

  /** Of a new token for an open socket. Its user is the actor; `principal` is whom the token proved, if anybody. */
  noteRenewal(session: Session, { principal }: Claimed, { code, message }: ChatError): void {
    if (!REFUSALS.has(code)) return;
    void this.log.note({
      action: 'access.renewal',
      outcome: 'denied',
      actor: actorOf(session),
      target: { connection: session.id, ...(principal && { user: principal.userId }) },
      address: session.client.address,
      requestId: null,
      details: { code, message },
    });
  }
}
