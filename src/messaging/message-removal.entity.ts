import { Column, Entity, PrimaryColumn } from 'typeorm';
import { seqColumn } from '../log/room.entity.js';
import type { Meta } from '../protocol/index.js';

/** What a moderator of the room, or an administrator, took out of a message, and, when it was brought back, by whom and why. */
@Entity('message_removals')
export class MessageRemovalEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('bigint', { transformer: seqColumn })
  seq!: number;

  /** Seq of the event that the removal made. */
  @PrimaryColumn('bigint', { name: 'removed_seq', transformer: seqColumn })
  removedSeq!: number;

  /** Null when it is forgotten, after REMOVED_TEXT_DAYS; `meta` is empty then. */
  @Column('text', { nullable: true })
  text!: string | null;

  @Column('jsonb')
  meta!: Meta;

  @Column({ type: 'text', name: 'removed_by' })
  removedBy!: string;

  @Column({ type: 'text', name: 'remove_reason' })
  removeReason!: string;

  @Column({ type: 'timestamptz', name: 'removed_at' })
  removedAt!: Date;

  @Column({ type: 'text', name: 'restored_by', nullable: true })
  restoredBy!: string | null;

  @Column({ type: 'text', name: 'restore_reason', nullable: true })
  restoreReason!: string | null;

  @Column({ type: 'timestamptz', name: 'restored_at', nullable: true })
  restoredAt!: Date | null;
}

export interface ModeratorAct {
  by: string;
  reason: string;
  at: string;
}

export interface RemovalView {
  /** Null when it is no longer kept. */
  text: string | null;
  meta: Meta;
  removed: ModeratorAct;
  restored: ModeratorAct | null;
}

export function removalView(row: MessageRemovalEntity): RemovalView {
  const { text, meta, restoredAt } = row;
  return {
    text,
    meta,
    removed: { by: row.removedBy, reason: row.removeReason, at: row.removedAt.toISOString() },
    restored: restoredAt && { by: row.restoredBy!, reason: row.restoreReason!, at: restoredAt.toISOString() },
  };
}
