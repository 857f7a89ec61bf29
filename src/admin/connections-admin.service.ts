import { Injectable } from '@nestjs/common';
import { AccessControl } from '../auth/access-control.service.js';
import type { Principal } from '../auth/principal.js';
import { type ConnectionsAnswer, type ConnectionsAsk, type ConnectionView, Questions } from '../bus/questions.js';
import { Instances } from '../changes/instances.js';
import { type Page, PageCursor } from '../rooms/page-cursor.js';
import type { PageRequest } from '../rooms/rooms.repository.js';

export type ConnectionFilter = Pick<ConnectionsAsk, 'user' | 'room' | 'instance' | 'olderThanSeconds'>;

export interface ConnectionPage extends Page<ConnectionView> {
  /** Instances that did not answer in time: what is open there is not in the list. */
  incomplete: string[];
}

export interface ClosedConnections {
  /** How many were found open. */
  count: number;
  incomplete: string[];
}

/** The open connections of all instances. Finding them is as good as the bus; closing them is certain, within two seconds without Redis. */
@Injectable()
export class ConnectionsAdminService {
  constructor(
    private readonly questions: Questions,
    private readonly instances: Instances,
    private readonly access: AccessControl,
  ) {}

  /** By id. Each instance answers the page that it would show alone, and the first of all of them are shown. */
  async list(filter: ConnectionFilter, { cursor, limit }: PageRequest): Promise<ConnectionPage> {
    const { user, room, instance, olderThanSeconds } = filter;
    const list = new PageCursor('connection', 'admin-connections', JSON.stringify([user, room, instance, olderThanSeconds]));
    const [after] = list.read(cursor) ?? [null];
    const { answers, missing } = await this.#ask({ ...filter, after, limit: limit + 1 });
    const connections = answers.flatMap((answer) => answer.connections).sort((one, other) => (one.id < other.id ? -1 : 1));
    return {
      ...list.page(
        connections,
        limit,
        ({ id }) => [id],
        (connection) => connection,
      ),
      incomplete: missing,
    };
  }

  /**
   * @returns what was found before; the connection closes whether it was found or not
   * @throws {ChatError} forbidden to an API key when it was, and is an administrator's
   */
  async close(id: string, by: Principal, dryRun: boolean): Promise<ClosedConnections> {
    const { answers, missing } = await this.#ask({ id, after: null, limit: 1 });
    const [connection] = answers.flatMap((answer) => answer.connections);
    if (connection) await this.access.assertMayActOn(connection.user, by);
    if (!dryRun) await this.access.closeConnection(id);
    return countOf(answers, missing);
  }

  /** @throws {ChatError} forbidden to an API key when he is an administrator */
  async closeAllOf(user: string, by: Principal, dryRun: boolean): Promise<ClosedConnections> {
    await this.access.assertMayActOn(user, by);
    const { answers, missing } = await this.#ask({ user, after: null, limit: 0 });
    if (!dryRun) await this.access.disconnectUser(user);
    return countOf(answers, missing);
  }

  async #ask(ask: ConnectionsAsk): Promise<{ answers: ConnectionsAnswer[]; missing: string[] }> {
    const ids = (await this.instances.list()).map(({ id }) => id);
    const expected = ask.instance === undefined ? ids : ids.filter((id) => id === ask.instance);
    const { answers, missing } = await this.questions.ask('connections', ask, expected);
    return { answers: [...answers.values()], missing };
  }
}

function countOf(answers: ConnectionsAnswer[], incomplete: string[]): ClosedConnections {
  return { count: answers.reduce((sum, { total }) => sum + total, 0), incomplete };
}
