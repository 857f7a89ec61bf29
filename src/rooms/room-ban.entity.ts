import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user who may neither read nor join the room. Never a member at the same time: both change under the room's lock. */
@Entity('room_bans')
export class RoomBanEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('text', { name: 'user_id' })
  userId!: string;

  @Column({ type: 'text', name: 'by_user' })
  byUser!: string;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}

/** A ban as the moderators of the room see it. */
export interface BanView {
  user: string;
  by: string;
  reason: string | null;
  createdAt: string;
}

export function banView({ userId, byUser, reason, createdAt }: Omit<RoomBanEntity, 'roomId'>): BanView {
  return { user: userId, by: byUser, reason, createdAt: createdAt.toISOString() };
}
