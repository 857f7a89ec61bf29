import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Meta, RoomType, RoomView } from '../protocol/index.js';

// node-postgres gives a bigint as a string; a seq stays far below 2^53.
export const seqColumn = { to: (value: number) => value, from: (value: string | null) => (value === null ? null : Number(value)) };

/** A room, and the head of its log. `lastSeq` and `lastAt` change only under the row's lock, by the log. */
@Entity('rooms')
export class RoomEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  type!: RoomType;

  @Column({ type: 'text', nullable: true })
  name!: string | null;

  @Column({ type: 'text', nullable: true })
  topic!: string | null;

  @Column('jsonb')
  meta!: Meta;

  @Column('text')
  epoch!: string;

  @Column({ type: 'bigint', name: 'first_seq', transformer: seqColumn })
  firstSeq!: number;

  @Column({ type: 'bigint', name: 'last_seq', transformer: seqColumn })
  lastSeq!: number;

  @Column({ type: 'timestamptz', name: 'last_at' })
  lastAt!: Date;

  @Column({ type: 'integer', name: 'member_count' })
  memberCount!: number;

  @Column({ type: 'text', name: 'created_by' })
  createdBy!: string;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'archived_at', nullable: true })
  archivedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'deleted_at', nullable: true })
  deletedAt!: Date | null;

  /** Digest of a direct room's set of members: one room a set. */
  @Column({ type: 'bytea', name: 'direct_key', nullable: true, select: false })
  directKey!: Buffer | null;

  /** The creator's Idempotency-Key. */
  @Column({ type: 'text', name: 'creation_key', nullable: true, select: false })
  creationKey!: string | null;
}

/** The room as callers see it. */
export function roomView(room: RoomEntity): RoomView {
  return {
    id: room.id,
    type: room.type,
    name: room.name,
    topic: room.topic,
    meta: room.meta,
    epoch: room.epoch,
    firstSeq: room.firstSeq,
    headSeq: room.lastSeq,
    memberCount: room.memberCount,
    createdBy: room.createdBy,
    createdAt: room.createdAt.toISOString(),
    archivedAt: room.archivedAt?.toISOString() ?? null,
  };
}
