import { Injectable } from '@nestjs/common';
import { type ConnectionsAnswer, type ConnectionsAsk, type ConnectionView, Questions } from '../bus/questions.js';
import { Lifecycle } from '../config/lifecycle.js';
import { Hub } from './hub.js';
import type { Session } from './session.js';

/** Answers which connections are open here. However many there are, an answer is one page of them. */
@Injectable()
export class ConnectionAnswers {
  constructor(
    private readonly hub: Hub,
    private readonly lifecycle: Lifecycle,
    questions: Questions,
  ) {
    questions.answer('connections', (ask) => this.#answer(ask));
  }

  #answer(ask: ConnectionsAsk): ConnectionsAnswer {
    if (ask.instance !== undefined && ask.instance !== this.lifecycle.instanceId) return { connections: [], total: 0 };
    const page = new FirstSessions(ask.limit);
    let total = 0;
    for (const session of ask.user === undefined ? this.hub.sessions() : this.hub.ofUser(ask.user)) {
      if (!isSelected(session, ask)) continue;
      total++;
      if (ask.after === null || session.id > ask.after) page.offer(session);
    }
    return { connections: page.sessions.map((session) => this.#view(session)), total };
  }

  #view(session: Session): ConnectionView {
    const { id, userId, client, openedAt, subscriptions, connection } = session;
    return {
      id,
      user: userId,
      instance: this.lifecycle.instanceId,
      address: client.address,
      userAgent: client.userAgent,
      openedAt: new Date(openedAt).toISOString(),
      subscriptions: subscriptions.size,
      unsentBytes: connection.unsentBytes,
    };
  }
}

function isSelected(session: Session, { id, room, olderThanSeconds }: ConnectionsAsk): boolean {
  if (id !== undefined && session.id !== id) return false;
  if (room !== undefined && !session.subscriptions.has(room)) return false;
  return olderThanSeconds === undefined || Date.now() - session.openedAt >= olderThanSeconds * 1_000;
}

/** The first few of many, by id, without sorting them all. */
class FirstSessions {
  readonly sessions: Session[] = [];

  constructor(private readonly limit: number) {}

  offer(session: Session): void {
    const { sessions, limit } = this;
    if (sessions.length === limit && (limit === 0 || session.id > sessions[limit - 1]!.id)) return;
    let low = 0;
    for (let high = sessions.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (sessions[middle]!.id < session.id) low = middle + 1;
      else high = middle;
    }
    sessions.splice(low, 0, session);
    if (sessions.length > limit) sessions.pop();
  }
}
