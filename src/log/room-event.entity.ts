import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ClosedReason, DurableEvent } from '../protocol/index.js';
import { seqColumn } from './room.entity.js';

/** A durable event that is not a new message. One about a message keeps only the message's seq: replays show the message as it stands. */
@Entity('room_events')
export class RoomEventEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('bigint', { transformer: seqColumn })
  seq!: number;

  @Column('text')
  event!: DurableEvent;

  @Column('timestamptz')
  at!: Date;

  @Column({ type: 'text', name: 'user_id', nullable: true })
  userId!: string | null;

  @Column({ type: 'text', nullable: true })
  ends!: ClosedReason | null;

  @Column({ type: 'bigint', name: 'message_seq', nullable: true, transformer: seqColumn })
  messageSeq!: number | null;

  @Column({ type: 'jsonb', nullable: true })
  data!: object | null;
}
