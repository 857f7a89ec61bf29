import { randomUUID } from 'node:crypto';

export const TEXT_BYTES = 200;
/** Connections being opened at a time, where opening is not what is measured. */
const OPENING = 200;

/** `count` rooms with no members yet: see `enter`. */
export function makeRooms(count) {
  return Array.from({ length: count }, () => ({ id: randomUUID(), members: [] }));
}

/** A user of his own for the client with this index, as a member of the rooms; subscribed to them unless told otherwise. */
export function enter(index, rooms, { port, running, sends = false, subscribes = true, since }) {
  const user = `u${index}`;
  for (const room of rooms) room.members.push(user);
  const ids = rooms.map(({ id }) => id);
  return {
    port,
    user,
    token: running.token(user),
    rooms: subscribes ? ids.map((id) => ({ id, since })) : [],
    sendsTo: sends ? ids : [],
  };
}

/**
 * Makes the rooms, opens the clients, lets them talk by `loop` (an action of the generator and its arguments), measures, and checks that
 * every message was stored where it should be and came to each of `receivers`, once.
 */
export async function talk({ context, peer, running }, { rooms, specs, loop, receivers }) {
  const { load } = context;
  await running.prepare(rooms);
  await load.ask('open', { dialect: peer.dialect, specs, atOnce: OPENING, textBytes: TEXT_BYTES });
  await load.ask(...loop);
  const measured = await load.measure({ processes: running.servers, ...context.window });
  const { sent, acked, deliveries, lost } = await load.ask('stop', { receivers });
  await load.ask('close');
  if (lost > 0) throw new Error(`${lost} connections were lost`);
  if (acked !== sent) throw new Error(`of ${sent} messages sent, ${acked} were acked`);
  if (deliveries !== acked * receivers) throw new Error(`${deliveries} deliveries of ${acked} messages to ${receivers} each`);
  await running.verify(rooms, { acked });
  return measured;
}

/** A row of the table. */
export function talkRow(peer, measured) {
  const { deliveries, acked, seconds, serverMs } = measured;
  return {
    peer,
    deliveriesPerSecond: deliveries / seconds,
    ackedPerSecond: acked / seconds,
    microsPerDelivery: (serverMs * 1_000) / deliveries,
    microsPerMessage: (serverMs * 1_000) / acked,
    ...sharesOf(measured),
    p50: measured.p50,
    p99: measured.p99,
  };
}

export function sharesOf({ serverShare, generatorShare, othersShare }) {
  return { serverShare, generatorShare, othersShare };
}
