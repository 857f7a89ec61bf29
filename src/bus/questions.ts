import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Lifecycle } from '../config/lifecycle.js';
import { type Question, RoomBus } from './room-bus.js';

/** Whoever has not answered by then is left out. */
const DEADLINE_MS = 1_000;

/** A connection as its instance knows it. */
export interface ConnectionView {
  id: string;
  user: string;
  instance: string;
  address: string;
  userAgent: string | null;
  /** ISO 8601. */
  openedAt: string;
  /** Rooms that it follows. */
  subscriptions: number;
  unsentBytes: number;
}

/** Which connections; what is not named selects all. */
export interface ConnectionsAsk {
  id?: string | undefined;
  user?: string | undefined;
  /** Those that follow it. */
  room?: string | undefined;
  instance?: string | undefined;
  olderThanSeconds?: number | undefined;
  /** Only ids behind this one, and the first so many of them. */
  after: string | null;
  limit: number;
}

export interface ConnectionsAnswer {
  /** By id. */
  connections: ConnectionView[];
  /** All that are selected, whatever `after` and `limit` say. */
  total: number;
}

/** Every question, with what it asks and what an instance answers. JSON. */
export interface QuestionKinds {
  connections: { ask: ConnectionsAsk; answer: ConnectionsAnswer };
}

type Kind = keyof QuestionKinds;

export interface Answers<K extends Kind> {
  /** By instance. */
  answers: Map<string, QuestionKinds[K]['answer']>;
  /** Instances that were expected to answer, and did not. */
  missing: string[];
}

interface Open {
  take(instance: string, answer: unknown): void;
}

/**
 * Asks all instances, this one among them, what each knows of itself. A hint like all that goes over the bus: an instance may be too late,
 * and whoever asks is told so.
 */
@Injectable()
export class Questions implements OnApplicationShutdown {
  readonly #logger = new Logger(Questions.name);
  readonly #open = new Map<string, Open>();
  readonly #handlers = new Map<string, (ask: never) => unknown>();
  readonly #stopListening: () => void;

  constructor(
    private readonly bus: RoomBus,
    private readonly lifecycle: Lifecycle,
  ) {
    this.#stopListening = bus.listen({
      onQuestion: (question) => this.#onQuestion(question),
      onAnswer: ({ question, instance, answer }) => this.#open.get(question)?.take(instance, answer),
    });
  }

  onApplicationShutdown(): void {
    this.#stopListening();
  }

  /** How this instance answers questions of the kind. `handler` is called in the turn in which the question is heard. */
  answer<K extends Kind>(kind: K, handler: (ask: QuestionKinds[K]['ask']) => QuestionKinds[K]['answer']): void {
    this.#handlers.set(kind, handler);
  }

  /** Resolves when all that are expected have answered, within a second at the latest. Never rejects. */
  ask<K extends Kind>(kind: K, ask: QuestionKinds[K]['ask'], expected: readonly string[]): Promise<Answers<K>> {
    const id = randomUUID();
    const answers: Answers<K>['answers'] = new Map();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#open.delete(id);
        resolve({ answers, missing: expected.filter((instance) => !answers.has(instance)) });
      };
      const timer = setTimeout(done, DEADLINE_MS);
      this.#open.set(id, {
        take: (instance, answer) => {
          answers.set(instance, answer as QuestionKinds[K]['answer']);
          if (expected.every((each) => answers.has(each))) done();
        },
      });
      this.bus.publishQuestion({ id, kind, ask });
    });
  }

  #onQuestion({ id, kind, ask }: Question): void {
    const handler = this.#handlers.get(kind);
    if (!handler) return; // of a later release, or of a program without sockets
    try {
      const answer = handler(ask as never);
      const own = this.#open.get(id);
      if (own) own.take(this.lifecycle.instanceId, answer);
      else this.bus.publishAnswer({ question: id, instance: this.lifecycle.instanceId, answer });
    } catch (err) {
      this.#logger.error({ err, kind }, 'A question could not be answered');
    }
  }
}
