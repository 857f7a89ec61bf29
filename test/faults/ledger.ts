import type { Attempt, Send } from './oracle.js';

/** When something came to its end, on this process's monotonic clock, and how long it took. */
export interface Timing {
  at: number;
  tookMs: number;
}

/** What all devices of a load have done and heard, as it was told to them. */
export class Ledger {
  readonly sends: Send[] = [];
  /** Of each attempt that was answered, whatever the answer. */
  readonly answers: Timing[] = [];
  /** Of each live event, from its place in the log to a device. */
  readonly deliveries: Timing[] = [];
  /** Codes of the errors that attempts were answered by. */
  readonly errors = new Map<string, number>();
  acked = 0;
  #attempts = 0;

  open(room: string, sender: string, clientId: string): Send {
    const send: Send = { room, sender, clientId, attempts: [] };
    this.sends.push(send);
    return send;
  }

  /** Takes an attempt down when it is made: until it is answered its outcome is unknown. */
  attempt(send: Send, connection: string): Attempt {
    const attempt: Attempt = { connection, order: ++this.#attempts, outcome: 'unknown' };
    send.attempts.push(attempt);
    return attempt;
  }

  acknowledge(send: Send, attempt: Attempt, ack: { seq: number; duplicate: boolean }): void {
    if (!send.attempts.some(({ outcome }) => outcome === 'acked')) this.acked++;
    Object.assign(attempt, { outcome: 'acked', seq: ack.seq, duplicate: ack.duplicate });
  }

  /** `timeout` and `internal` leave open whether it was done; every other code says that it was not. */
  refuse(attempt: Attempt, code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    if (code !== 'timeout' && code !== 'internal') attempt.outcome = 'failed';
  }

  answered(tookMs: number): void {
    this.answers.push({ at: performance.now(), tookMs });
  }

  delivered(tookMs: number): void {
    this.deliveries.push({ at: performance.now(), tookMs });
  }
}

/** The value below which this share of the timings lies, of those that ended between two moments. 0 when there are none. */
export function quantile(timings: readonly Timing[], share: number, from = -Infinity, to = Infinity): number {
  const sorted = timings
    .filter(({ at }) => at >= from && at <= to)
    .map(({ tookMs }) => tookMs)
    .sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
