import type { Request } from 'express';
import { clientAddress } from '../limits/client-address.js';
import type { AuditAction, AuditActor, AuditEntry, AuditOutcome } from './audit-entry.js';

/** What a request carries that the log wants to know. The principal is that of `auth`, which is above this folder. */
export type AuditedRequest = Request & {
  id?: unknown;
  principal?: { readonly userId: string; readonly key?: { readonly id: string } };
  /** Set by the `AuditGuard`, before any guard that may refuse: the action of the route, if it has one. */
  auditAction?: AuditAction | undefined;
  /** Set by the last guard, when all have let the request in. */
  isAdmitted?: boolean;
};

const TARGET_FIELDS = ['user', 'sender', 'room', 'seq'] as const;
/** Of a value that was sent. */
export const MAX_CHARS = 255;

export function entryOf(
  request: AuditedRequest,
  action: AuditAction,
  outcome: AuditOutcome,
  details?: Record<string, unknown>,
): AuditEntry {
  return {
    action,
    outcome,
    actor: actorOf(request),
    target: targetOf(request),
    address: clientAddress(request, request.app.get('trust proxy fn') as (address: string) => boolean),
    requestId: typeof request.id === 'string' ? request.id : null,
    ...(details && { details }),
  };
}

/** Whom its credentials proved, let in or not. */
export function actorOf({ principal }: Pick<AuditedRequest, 'principal'>): AuditActor {
  if (!principal) return { kind: 'anonymous', id: null };
  return principal.key ? { kind: 'key', id: principal.key.id } : { kind: 'user', id: principal.userId };
}

/** As it was sent: this is written before anything is checked. */
function targetOf({ params, query, body }: AuditedRequest): Record<string, string> | null {
  const target: [string, string][] = [];
  for (const source of [body, query] as Record<string, unknown>[]) {
    for (const field of TARGET_FIELDS) {
      const value = source?.[field];
      if (typeof value === 'string' || typeof value === 'number') target.push([field, String(value).slice(0, MAX_CHARS)]);
    }
  }
  for (const [name, value] of Object.entries(params)) if (typeof value === 'string') target.push([name, value.slice(0, MAX_CHARS)]);
  return target.length > 0 ? Object.fromEntries(target) : null;
}
