import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { ActRow } from '../auth/revocation-statements.js';
import type { Act, Audience } from '../bus/room-bus.js';
import { Acts } from '../changes/acts.js';
import { Sql, type Statement } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import type { EphemeralEvents } from '../protocol/index.js';

export interface NoticeDraft {
  text: string;
  level: EphemeralEvents['notice']['level'];
  user?: string | undefined;
  room?: string | undefined;
}

/** $1 act, $2 sender, $3 key or null, $4 id, $5 digest. No row: a notice of this key was sent. Keys are known for a day. */
const SEND: Statement = {
  name: 'send_notice',
  text: `WITH gone AS (
      DELETE FROM notice_keys WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM notice_keys k
        WHERE k.created_at < clock_timestamp() - interval '1 day' AND (k.sender, k.key) IS DISTINCT FROM ($2::text, $3::text) LIMIT 100
      ))
    ), taken AS (
      INSERT INTO notice_keys (sender, key, notice, digest) SELECT $2::text, $3::text, $4::uuid, $5::bytea WHERE $3::text IS NOT NULL
      ON CONFLICT DO NOTHING RETURNING true
    )
    SELECT record_act_v1($1::jsonb) AS act WHERE $3::text IS NULL OR EXISTS (SELECT FROM taken)`,
};

const FIND: Statement = { name: 'find_notice', text: 'SELECT notice, digest FROM notice_keys WHERE sender = $1 AND key = $2' };

/** What administrators tell users. It is an act like a ban: certain within two seconds on every instance, and told once. */
@Injectable()
export class Notices {
  constructor(
    private readonly sql: Sql,
    private readonly acts: Acts,
  ) {}

  /**
   * To the connections that are open when their instance hears of it.
   * @param key of the sender's choice: again with it, what was sent is not sent twice
   * @returns the notice's id
   * @throws {ChatError} conflict when another notice was sent with the key; unavailable, timeout
   */
  async send(sender: string, draft: NoticeDraft, key: string | null): Promise<string> {
    const id = uuidv7();
    const { text, level, user = null, room = null } = draft;
    const data = { text, level, ...(room !== null && { room }) };
    const act: Act = { kind: 'notice', notice: id, audience: audienceOf(user, room), data };
    const digest = createHash('sha256')
      .update(JSON.stringify([text, level, user, room]))
      .digest();
    const [sent] = await this.sql.query<ActRow>(SEND, [JSON.stringify(act), sender, key, id, digest]);
    if (sent) {
      this.acts.publish(sent.act);
      return id;
    }
    const [known] = await this.sql.query<{ notice: string; digest: Buffer }>(FIND, [sender, key]);
    if (known?.digest.equals(digest)) return known.notice;
    throw new ChatError('conflict', 'This Idempotency-Key has sent another notice.');
  }
}

function audienceOf(user: string | null, room: string | null): Audience {
  if (user !== null) return { kind: 'user', user };
  return room === null ? { kind: 'everybody' } : { kind: 'room', room };
}
