/** What the log says where it refuses by itself; `room-access` and whoever else judges the same say it in the same words. */

export const MEMBERS_ONLY = 'Only members of the room may do this.';
export const BANNED_FROM_ROOM = 'You are banned from this room.';
export const ROOM_ARCHIVED = 'The room is archived.';

export function roomFull(max: number): string {
  return `The room has its ${max} members already.`;
}

export function tooManyRooms(max: number): string {
  return `You are in ${max} rooms already; leave one.`;
}
