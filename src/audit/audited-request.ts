import type { Request } from 'express';
import type { TakenInput } from '../errors/taken-input.js';
import { clientAddress } from '../limits/client-address.js';
import type { AuditAction, AuditActor, AuditEntry, AuditOutcome } from './audit-entry.js';

/** What a request carries that the log wants to know. The principal and the false credential are those of `auth`, which is above this folder. */
export type AuditedRequest = Request & {
  id?: unknown;
  principal?: { readonly userId: string; readonly key?: { readonly id: string } };
  readonly falseCredential?: 'token' | 'key';
  /** Set by the `AuditGuard`, before any guard that may refuse: the action of the route, if it has one. */
  auditAction?: AuditAction | undefined;
  /** Set with it. */
  takenInput?: TakenInput;
  /** Set by the last guard, when all have let the request in. */
  isAdmitted?: boolean;
};

const TARGET_FIELDS = ['user', 'sender', 'room', 'seq'] as const;
/** What of a query or body says what was done, or looked for. Never what somebody wrote to others, nor a secret: see `AuditEntry.details`. */
const DETAIL_FIELDS = [
  ...['dryRun', 'reason', 'until', 'decision', 'disabled', 'roles', 'role', 'archived', 'type', 'scopes', 'expiresInSeconds', 'level'],
  ...['q', 'from', 'to', 'by', 'action', 'actor', 'target', 'outcome', 'status', 'active', 'member', 'instance'],
  ...['includeDeleted', 'createdBy'],
] as const;
/** Of a value that was sent. */
export const MAX_CHARS = 255;
const MAX_ITEMS = 64;

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

/** What the request says of what is to be done, as it was sent. */
export function askedOf(request: AuditedRequest): Record<string, unknown> {
  const sent = sentFields(request);
  const asked: Record<string, unknown> = {};
  for (const field of DETAIL_FIELDS) {
    const value = shortened(sent[field]);
    if (value !== undefined) asked[field] = value;
  }
  return asked;
}

/** What the answer adds: the id of what was made, and whom or what it was about, where the request named it by another. */
export function answeredOf(request: AuditedRequest, answer: unknown): { target: AuditEntry['target']; details: Record<string, unknown> } {
  const { id, ...rest } = Object(answer) as Record<string, unknown>;
  const target = { ...fieldsOf(rest), ...targetOf(request) };
  return {
    target: unlessEmpty(target),
    details: request.method === 'POST' && typeof id === 'string' && !Object.values(target).includes(id) ? { id } : {},
  };
}

/** Whom its credentials proved, let in or not. */
export function actorOf({ principal }: Pick<AuditedRequest, 'principal'>): AuditActor {
  if (!principal) return { kind: 'anonymous', id: null };
  return principal.key ? { kind: 'key', id: principal.key.id } : { kind: 'user', id: principal.userId };
}

/** As it was sent: this is written before anything is checked. */
function targetOf(request: AuditedRequest): AuditEntry['target'] {
  const target = fieldsOf(sentFields(request));
  for (const [name, value] of Object.entries(request.params)) if (typeof value === 'string') target[name] = value.slice(0, MAX_CHARS);
  return unlessEmpty(target);
}

/** Of body and query the fields that the route knows: others do nothing but have the request refused, and whoever sends them may say anything. */
function sentFields({ body, query, takenInput }: AuditedRequest): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const [source, names] of [
    [body, takenInput?.body],
    [query, takenInput?.query],
  ] as const) {
    for (const name of names ?? []) {
      const value = (Object(source) as Record<string, unknown>)[name];
      if (value !== undefined) sent[name] = value;
    }
  }
  return sent;
}

function unlessEmpty(target: Record<string, string>): AuditEntry['target'] {
  return Object.keys(target).length > 0 ? target : null;
}

function fieldsOf(source: unknown): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const field of TARGET_FIELDS) {
    const value = (Object(source) as Record<string, unknown>)[field];
    if (typeof value === 'string' || typeof value === 'number') fields[field] = String(value).slice(0, MAX_CHARS);
  }
  return fields;
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_CHARS);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (value instanceof Date) return value.toJSON();
  return Array.isArray(value) ? value.slice(0, MAX_ITEMS).map(shortened) : undefined;
}
