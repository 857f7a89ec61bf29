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

  @Column('text', { nullable: true })
  name!: string | null;

  @Column('text', { nullable: true })
  topic!: string | null;

  @Column('jsonb')
  meta!: Meta;

  @Column('text')
  epoch!: string;

  @Column('bigint', { name: 'first_seq', transformer: seqColumn })
  firstSeq!: number;

  @Column('bigint', { name: 'last_seq', transformer: seqColumn })
  lastSeq!: number;

  @Column('timestamptz', { name: 'last_at', precision: 3 })
  lastAt!: Date;

  @Column('integer', { name: 'member_count' })
  memberCount!: number;

  @Column('text', { name: 'created_by', collation: 'C' })
  createdBy!: string;

  @Column('timestamptz', { name: 'created_at', precision: 3 })
  createdAt!: Date;

  @Column('timestamptz', { name: 'archived_at', precision: 3, nullable: true })
  archivedAt!: Date | null;

  @Column('timestamptz', { name: 'deleted_at', precision: 3, nullable: true })
  deletedAt!: Date | null;

  /** Digest of a direct room's set of members: one room a set. */
  @Column('bytea', { name: 'direct_key', nullable: true, select: false })
  directKey!: Buffer | null;

  /** The creator's Idempotency-Key. */
  @Column('text', { name: 'creation_key', nullable: true, select: false })
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
