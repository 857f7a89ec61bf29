/** What was done or refused, as `subject.verb`: `user.ban`, `login.password`. */
export type AuditAction = `${string}.${string}`;

/**
 * - `begun`: an act is about to be done; its `ok` or `failed` follows with the same request id. Without one, its fate is unknown.
 * - `ok`: it was done.
 * - `denied`: who asked may not, or did not show who he is.
 * - `failed`: it was tried, and was not done, or not known to be.
 */
export type AuditOutcome = 'begun' | 'ok' | 'denied' | 'failed';

/**
 * Who did it. `server`: by itself. `operator`: whoever ran a command of the server's on its machine; the id is his name there.
 * `anonymous`: nobody who is known; the id, if any, is only what was claimed.
 */
export interface AuditActor {
  kind: 'user' | 'key' | 'anonymous' | 'server' | 'operator';
  id: string | null;
}

export interface AuditEntry {
  action: AuditAction;
  outcome: AuditOutcome;
  actor: AuditActor;
  /** To what it was done, such as `{user: 'u7'}` or `{room: '…', seq: '12'}`. */
  target: Readonly<Record<string, string>> | null;
  /** As `clientAddress` says. Of refusals that were counted it may be their network, or none. */
  address: string | null;
  requestId: string | null;
  /** What else is worth knowing. Never a secret: no password, no token, no text of a message. */
  details?: Readonly<Record<string, unknown>>;
}
