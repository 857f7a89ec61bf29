import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LogEvent, RoomNote } from '../bus/room-bus.js';
import type { DurableEvent } from '../protocol/index.js';
import type { MembersRead } from './room-members.repository.js';
import { WatchedRoom } from './watched-room.js';
import type { WatchedUsers, Watcher } from './watched-users.js';

const noUsers = { include: () => undefined, exclude: () => undefined, learnLater: () => undefined } as unknown as WatchedUsers;
const EPOCH = 'e1';

function watcher(userId: string): Watcher {
  return { userId, deliver: () => undefined };
}

function logEvent(seq: number, event: DurableEvent, user: string | null, ends: LogEvent['ends'] = null): LogEvent {
  return { seq, event, user, ends, frame: Buffer.alloc(0) };
}

function note(...events: LogEvent[]): RoomNote {
  return { room: 'r', epoch: EPOCH, headSeq: Math.max(...events.map(({ seq }) => seq)), events };
}

function read(headSeq: number, members: string[] | null, epoch = EPOCH): MembersRead {
  return { epoch, headSeq, members };
}

describe('watched room', () => {
  let room: WatchedRoom;
  let dropped: Watcher[];
  const members = () => [...room.members].sort();

  beforeEach(() => {
    dropped = [];
    room = new WatchedRoom('r', noUsers, (gone) => dropped.push(gone));
  });

  it('follows joins and leaves behind the read', () => {
    expect(room.take(read(5, ['ada', 'bob']))).toBe(false);
    expect(room.note(note(logEvent(6, 'member.joined', 'cid'), logEvent(7, 'message.created', 'bob')))).toBe(false);
    expect(room.note(note(logEvent(8, 'member.left', 'bob', 'left')))).toBe(false);
    expect(members()).toEqual(['ada', 'cid']);
  });

  it('ignores what the read has seen, and what comes twice', () => {
    room.note(note(logEvent(5, 'member.joined', 'cid')));
    room.take(read(6, ['ada']));
    room.note(note(logEvent(6, 'member.left', 'ada', 'left')));
    expect(members()).toEqual(['ada']);
  });

  it('applies what came while the first read was under way', () => {
    room.note(note(logEvent(6, 'member.joined', 'cid')));
    expect(room.take(read(5, ['ada']))).toBe(false);
    expect(members()).toEqual(['ada', 'cid']);
  });

  it('asks for a read when notes leave a gap, and puts late notes in their place', () => {
    room.take(read(5, ['ada']));
    expect(room.note(note(logEvent(7, 'member.left', 'cid', 'kicked')))).toBe(true);
    expect(room.note(note(logEvent(6, 'member.joined', 'cid')))).toBe(false);
    expect(members()).toEqual(['ada']);
    expect(room.note({ room: 'r', epoch: EPOCH, headSeq: 9, events: [] })).toBe(true);
    expect(room.take(read(8, ['ada']))).toBe(true);
    expect(room.take(read(9, ['ada', 'dan']))).toBe(false);
    expect(members()).toEqual(['ada', 'dan']);
  });

  it('takes no read that is older than what it knows', () => {
    room.take(read(5, ['ada']));
    room.note(note(logEvent(6, 'member.joined', 'cid')));
    expect(room.take(read(5, ['ada']))).toBe(false);
    expect(members()).toEqual(['ada', 'cid']);
  });

  it('takes any read of another epoch', () => {
    room.take(read(50, ['ada']));
    expect(room.note({ room: 'r', epoch: 'e2', headSeq: 3, events: [] })).toBe(true);
    expect(room.take(read(3, ['bob'], 'e2'))).toBe(false);
    expect(members()).toEqual(['bob']);
  });

  it('ends the watches of a user at once, even ahead of a gap', () => {
    const [ada, bob, again] = [watcher('ada'), watcher('bob'), watcher('ada')];
    room.take(read(5, ['ada', 'bob']));
    room.watchers.add(ada).add(bob);
    const entry = { watcher: again, room, ended: false };
    room.entries.add(entry);
    room.note(note(logEvent(9, 'member.left', 'ada', 'kicked')));
    expect([...room.watchers]).toEqual([bob]);
    expect(dropped).toEqual([ada]);
    expect(entry.ended).toBe(true);
  });

  it('ends all watches with the room, and those of users whom a read does not find', () => {
    const [ada, bob] = [watcher('ada'), watcher('bob')];
    room.take(read(5, ['ada', 'bob']));
    room.watchers.add(ada).add(bob);
    room.take(read(6, ['ada']));
    expect(dropped).toEqual([bob]);
    room.note(note(logEvent(7, 'room.deleted', null, 'deleted')));
    expect(dropped).toEqual([bob, ada]);
  });

  it('takes nothing more when the end of its last watch closes it', () => {
    const included = new Set<string>();
    const users = {
      include: (user: string) => included.add(user),
      exclude: (user: string) => included.delete(user),
      learnLater: () => undefined,
    } as unknown as WatchedUsers;
    const own: WatchedRoom = new WatchedRoom('r', users, () => own.close());
    own.take(read(5, ['ada', 'bob']));
    own.watchers.add(watcher('ada'));
    own.take(read(6, ['bob', 'cid']));
    expect([...included, ...own.members]).toEqual([]);
  });

  it('keeps no members while it is large, and watches still end', () => {
    const ada = watcher('ada');
    room.take(read(5, ['ada']));
    room.watchers.add(ada);
    room.take(read(6, null));
    expect(room.note(note(logEvent(9, 'member.joined', 'cid')))).toBe(false);
    expect(members()).toEqual([]);
    room.note(note(logEvent(10, 'member.left', 'ada', 'kicked')));
    expect(dropped).toEqual([ada]);
  });

  it('has the members of the log, whatever becomes of the notes', () => {
    const user = fc.constantFrom('ada', 'bob', 'cid');
    const fates = fc.array(fc.constantFrom('now', 'later', 'twice', 'lost', 'read'), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(user, { minLength: 1, maxLength: 30 }), fates, (users, fate) => {
        const own = new WatchedRoom('r', noUsers, () => undefined);
        const log = users.map((name, index) => toggle(users, name, index));
        const at = (seq: number) => read(seq, membersAt(log, seq));
        const deliver = (event: LogEvent, head: number) => {
          for (let again = own.note(note(event)); again;) again = own.take(at(head));
        };
        const late: LogEvent[] = [];
        own.take(at(0));
        log.forEach((event, index) => {
          const how = fate[index];
          if (how === 'now' || how === 'twice') deliver(event, event.seq);
          if (how === 'twice') deliver(event, event.seq);
          if (how === 'later') late.unshift(event);
          if (how === 'read') own.take(at(event.seq));
        });
        late.forEach((event) => deliver(event, log.length));
        // Whatever was lost, the next note shows it.
        deliver(logEvent(log.length + 1, 'message.created', 'ada'), log.length + 1);
        expect([...own.members].sort()).toEqual(membersAt(log, log.length));
      }),
    );
  });
});

/** Each user joins and leaves in turn. */
function toggle(users: string[], name: string, index: number): LogEvent {
  const before = users.slice(0, index).filter((other) => other === name).length;
  return before % 2 === 0 ? logEvent(index + 1, 'member.joined', name) : logEvent(index + 1, 'member.left', name, 'left');
}

function membersAt(log: LogEvent[], seq: number): string[] {
  const members = new Set<string>();
  for (const { event, user } of log.slice(0, seq)) {
    if (event === 'member.joined') members.add(user!);
    else members.delete(user!);
  }
  return [...members].sort();
}
