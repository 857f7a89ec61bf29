import type { ChatServer, HttpAnswer } from './chat-server.js';

/** Requests of an administrator to one of several servers. */
export class AdministratorClient {
  readonly #token: string;

  constructor(
    private readonly server: ChatServer,
    readonly id = 'root',
  ) {
    this.#token = server.test.token(id, { roles: ['admin'] });
  }

  ask(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    return this.server.http(null, method, `/v1/admin${path}`, body, { authorization: `Bearer ${this.#token}` });
  }

  /** @returns the body. @throws for an answer that is no success */
  async done(method: string, path: string, body?: unknown): Promise<HttpAnswer['body']> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path} was answered by ${answer.status} ${answer.text}`);
    return answer.body as unknown;
  }

  /** All items of a list, page by page. */
  async all(path: string, limit: number): Promise<HttpAnswer['body'][]> {
    const items: unknown[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const mark = path.includes('?') ? '&' : '?';
      const page = (await this.done('GET', `${path}${mark}limit=${limit}${cursor === undefined ? '' : `&cursor=${cursor}`}`)) as {
        items: unknown[];
        nextCursor: string | null;
      };
      if (page.items.length > limit) throw new Error(`a page of ${limit} has ${page.items.length} items`);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  }
}
