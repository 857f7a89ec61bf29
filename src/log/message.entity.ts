import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Message, Meta } from '../protocol/index.js';
import { seqColumn } from './room.entity.js';

/** A message as it stands; its `message.created` event is the row itself. */
@Entity('messages')
export class MessageEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('bigint', { transformer: seqColumn })
  seq!: number;

  @Column('bigint', { name: 'last_seq', transformer: seqColumn })
  lastSeq!: number;

  @Column('text', { name: 'sender_id', collation: 'C' })
  senderId!: string;

  @Column('text', { name: 'client_id', collation: 'C' })
  clientId!: string;

  @Column('text')
  text!: string;

  @Column('jsonb')
  meta!: Meta;

  @Column('integer')
  version!: number;

  @Column('timestamptz', { name: 'created_at', precision: 3 })
  createdAt!: Date;

  @Column('timestamptz', { name: 'edited_at', precision: 3, nullable: true })
  editedAt!: Date | null;

  @Column('timestamptz', { name: 'deleted_at', precision: 3, nullable: true })
  deletedAt!: Date | null;
}

/** The message as callers see it. */
export function messageView(row: Omit<MessageEntity, 'roomId'>): Message {
  return {
    seq: row.seq,
    lastSeq: row.lastSeq,
    sender: row.senderId,
    clientId: row.clientId,
    text: row.text,
    meta: row.meta,
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    editedAt: row.editedAt?.toISOString() ?? null,
    deletedAt: row.deletedAt?.toISOString() ?? null,
  };
}
