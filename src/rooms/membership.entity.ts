import { Column, Entity, PrimaryColumn } from 'typeorm';
import { seqColumn } from '../log/room.entity.js';
import type { Role } from '../protocol/index.js';

/** A user in a room. Rows come and go only under the room's lock; the read mark moves without it. */
@Entity('memberships')
export class MembershipEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('text', { name: 'user_id' })
  userId!: string;

  @Column('text')
  role!: Role;

  /** Up to where the user has read: the head of the log when he came, then what `read.set` says. */
  @Column({ type: 'bigint', name: 'read_seq', transformer: seqColumn })
  readSeq!: number;

  @Column({ type: 'timestamptz', name: 'joined_at' })
  joinedAt!: Date;
}

/** A member as callers see him. */
export interface MemberView {
  user: string;
  role: Role;
  joinedAt: string;
}

export function memberView({ userId, role, joinedAt }: Pick<MembershipEntity, 'userId' | 'role' | 'joinedAt'>): MemberView {
  return { user: userId, role, joinedAt: joinedAt.toISOString() };
}
