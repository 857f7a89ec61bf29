interface ModelMessage {
  seq: number;
  lastSeq: number;
  sender: string;
  text: string;
  version: number;
  deleted: boolean;
}

/** What a command is acked with, in part; or the code that it is refused with. */
export type Expected = object | string;

/** A room as the protocol has it, in a few lines: what each act answers, and what is there afterwards. Its owner is no part of it. */
export class RoomModel {
  head = 0;
  readonly messages: ModelMessage[] = [];
  /** The read mark of each member. */
  readonly #marks = new Map<string, number>();

  constructor(private readonly type: 'public' | 'private') {}

  /** What a stranger is told of whatever only members may do. */
  get #refusal(): string {
    return this.type === 'public' ? 'forbidden' : 'not_found';
  }

  join(user: string): Expected {
    if (this.#marks.has(user)) return { role: 'member' };
    return this.type === 'public' ? this.#enter(user) : 'not_found';
  }

  /** The owner adds the user. */
  add(user: string): Expected {
    return this.#marks.has(user) ? { role: 'member' } : this.#enter(user);
  }

  leave(user: string): Expected {
    if (!this.#marks.has(user)) return this.type === 'public' ? {} : 'not_found';
    this.#exit(user);
    return {};
  }

  /** The owner removes the user. */
  kick(user: string): Expected {
    if (!this.#marks.has(user)) return 'not_found';
    this.#exit(user);
    return {};
  }

  send(user: string, text: string): Expected {
    if (!this.#marks.has(user)) return this.#refusal;
    const seq = ++this.head;
    this.messages.push({ seq, lastSeq: seq, sender: user, text, version: 1, deleted: false });
    return { seq, duplicate: false };
  }

  edit(user: string, seq: number, text: string): Expected {
    if (!this.#marks.has(user)) return this.#refusal;
    const message = this.messages.find((one) => one.seq === seq);
    if (!message) return 'not_found';
    if (message.sender !== user) return 'forbidden';
    if (message.deleted) return 'conflict';
    if (message.text !== text) Object.assign(message, { text, version: message.version + 1, lastSeq: ++this.head });
    return { seq: message.lastSeq, version: message.version };
  }

  delete(user: string, seq: number): Expected {
    if (!this.#marks.has(user)) return this.#refusal;
    const message = this.messages.find((one) => one.seq === seq);
    if (!message) return 'not_found';
    if (message.sender !== user) return 'forbidden';
    if (!message.deleted) Object.assign(message, { text: '', deleted: true, lastSeq: ++this.head });
    return { seq: message.lastSeq };
  }

  read(user: string, seq: number): Expected {
    const mark = this.#marks.get(user);
    if (mark === undefined) return this.#refusal;
    const readSeq = Math.max(mark, Math.min(seq, this.head));
    this.#marks.set(user, readSeq);
    const unread = this.messages.filter((message) => message.seq > readSeq && !message.deleted && message.sender !== user).length;
    return { readSeq, unread };
  }

  /** @param since null without one */
  subscribe(user: string, since: number | null): Expected {
    const isMember = this.#marks.has(user);
    if (!isMember && this.type === 'private') return 'not_found';
    const recovered = since !== null && since <= this.head;
    const events = recovered ? Array.from({ length: this.head - since }, (_, index) => ({ seq: since + index + 1 })) : [];
    return { headSeq: this.head, role: isMember ? 'member' : null, readSeq: this.#marks.get(user) ?? 0, recovered, events };
  }

  #enter(user: string): Expected {
    this.#marks.set(user, ++this.head);
    return { role: 'member' };
  }

  #exit(user: string): void {
    this.#marks.delete(user);
    this.head++;
  }
}
