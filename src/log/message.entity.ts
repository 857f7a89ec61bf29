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

  @Column({ type: 'bigint', name: 'last_seq', transformer: seqColumn })
  lastSeq!: number;

  @Column({ type: 'text', name: 'sender_id' })
  senderId!: string;

  @Column({ type: 'text', name: 'client_id' })
  clientId!: string;

  @Column('text')
  text!: string;

  @Column('jsonb')
  meta!: Meta;

  @Column('integer')
  version!: number;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'edited_at', nullable: true })
  editedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'deleted_at', nullable: true })
  deletedAt!: Date | null;
}

/** The message as callers see it when it is new, by the event `seq`. @param createdAt ISO 8601 */
export function firstVersion(
  { sender, clientId, text, meta }: Pick<Message, 'sender' | 'clientId' | 'text' | 'meta'>,
  seq: number,
  createdAt: string,
): Message {
  return { seq, lastSeq: seq, sender, clientId, text, meta, version: 1, createdAt, editedAt: null, deletedAt: null };
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
