const GUEST = 'guest:';
const BOT = 'bot:';

export function guestId(uuid: string): string {
  return `${GUEST}${uuid}`;
}

export function botId(key: string): string {
  return `${BOT}${key}`;
}

/** Whether a user is somebody whom nobody vouches for. His id says so, since rules ask it of users who are not there to show a token. */
export function isGuest(userId: string): boolean {
  return userId.startsWith(GUEST);
}

/** Whether a user is a backend, by an API key. */
export function isBot(userId: string): boolean {
  return userId.startsWith(BOT);
}

/** Whether an id is one that this server alone gives. No one else who signs tokens can. */
export function isReserved(userId: string): boolean {
  return isGuest(userId) || isBot(userId);
}
