import { Injectable } from '@nestjs/common';
import { Mutes } from '../auth/mutes.js';
import { Revocations } from '../auth/revocations.js';
import { roomNotFound } from '../errors/chat-error.js';
import { type Role, type RoomType } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import { explain, isSpeech, type RefusalReason, type RoomAction, type Rule, type Verdict } from '../rooms/room-access.js';

/** Why a user who may do nothing on this server may not do this. */
const OF_SERVER = {
  banned: { reason: 'serverBanned', words: 'The user is banned.' },
  disabled: { reason: 'serverDisabled', words: 'The user is disabled.' },
} as const;

export type AccessReason = RefusalReason | (typeof OF_SERVER)[keyof typeof OF_SERVER]['reason'] | 'serverMuted';

export interface ExplainedAccess {
  allowed: boolean;
  verdict: Verdict;
  action: RoomAction;
  rule: Rule;
  reason: AccessReason | null;
  words: string | null;
  facts: {
    type: RoomType;
    archived: boolean;
    role: Role | null;
    roomBanned: boolean;
    serverBanned: boolean;
    serverDisabled: boolean;
    roomMuted: boolean;
    serverMuted: boolean;
  };
}

/** Says who may do what, by the very rules that decide it. */
@Injectable()
export class AccessAdminService {
  constructor(
    private readonly access: RoomAccess,
    private readonly revocations: Revocations,
    private readonly mutes: Mutes,
  ) {}

  /** @throws {ChatError} not_found when there is no such room */
  async explain(user: string, room: string, action: RoomAction): Promise<ExplainedAccess> {
    const standing = await this.access.find(user, room);
    if (!standing) throw roomNotFound();
    const { role, banned, muted } = standing;
    const { type, archived } = standing.room;
    const { verdict, rule, reason, words } = explain(action, { room: { type, archived }, role, banned, muted });
    const onServer = this.revocations.standing(user);
    const silenced = this.mutes.refusal(user);
    const facts = {
      ...{ type, archived, role, roomBanned: banned },
      serverBanned: onServer === 'banned',
      serverDisabled: onServer === 'disabled',
      roomMuted: muted !== null,
      serverMuted: silenced !== undefined,
    };
    if (onServer !== 'valid') return { allowed: false, verdict: 'forbidden', action, rule, ...OF_SERVER[onServer], facts };
    if (verdict === 'allow' && silenced && isSpeech(action)) {
      return { allowed: false, verdict: 'forbidden', action, rule, reason: 'serverMuted', words: silenced.message, facts };
    }
    return { allowed: verdict === 'allow', verdict, action, rule, reason, words, facts };
  }
}
