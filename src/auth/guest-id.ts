const PREFIX = 'guest:';

export function guestId(uuid: string): string {
  return `${PREFIX}${uuid}`;
}

/** Whether a user is somebody whom nobody vouches for. His id says so, since rules ask it of users who are not there to show a token. */
export function isGuest(userId: string): boolean {
  return userId.startsWith(PREFIX);
}
