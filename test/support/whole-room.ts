import type { Message } from '../../src/protocol/index.js';
import type { Frame } from './chat-client.js';
import type { RaceServer } from './race.js';

/** The whole log of a room: `log[seq - 1]` is the event of that seq. @throws when it has a hole */
export async function readLog(server: Pick<RaceServer, 'http'>, user: string, room: string): Promise<Frame[]> {
  const log: Frame[] = [];
  for (;;) {
    const page = await get(server, user, `/v1/rooms/${room}/events?after=${log.length}&limit=500`);
    for (const event of page.events as Frame[]) {
      if (event.seq !== log.length + 1) throw new Error(`the log has ${event.seq} where ${log.length + 1} should be`);
      log.push(event);
    }
    if (log.length >= (page.headSeq as number)) return log;
    if (page.events.length === 0) throw new Error(`the log ends at ${log.length}, its head is ${page.headSeq}`);
  }
}

/** All messages of a room, oldest first. */
export async function readMessages(server: Pick<RaceServer, 'http'>, user: string, room: string): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const page = await get(server, user, `/v1/rooms/${room}/messages?after=${messages.at(-1)?.seq ?? 0}&limit=200`);
    messages.push(...(page.messages as Message[]));
    if (!page.hasAfter) return messages;
  }
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
async function get(server: Pick<RaceServer, 'http'>, user: string, path: string): Promise<any> {
  const { status, body } = await server.http(user, 'GET', path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
  return body as unknown;
}
