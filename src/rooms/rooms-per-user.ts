import type { EntityManager } from 'typeorm';
import { ChatError } from '../errors/chat-error.js';
import { userFull } from './room-access.js';

/**
 * Holds the users' number of rooms from here to the end of the transaction, which must have locked the rooms that it changes.
 * @param alreadyAdded rooms of this transaction that they are members of by now
 * @throws {ChatError} conflict when one of them may be added to no further room
 */
export async function assertRoomForUsers(manager: EntityManager, users: readonly string[], max: number, alreadyAdded = 0): Promise<void> {
  const [row] = await manager.query<{ full: string[] }[]>('SELECT full_users_v1($1::text[], $2) AS full', [users, max + alreadyAdded]);
  if (row!.full.length > 0) throw new ChatError('conflict', userFull(max, row!.full));
}
