import { Injectable, Logger } from '@nestjs/common';
import {
  type Answer,
  type BusHealth,
  type BusListener,
  type Question,
  type RecordedAct,
  RoomBus,
  type RoomNote,
  type Signal,
} from './room-bus.js';

/** The bus of a server that is alone: every listener is in this process. */
@Injectable()
export class LocalBus extends RoomBus {
  readonly #logger = new Logger(LocalBus.name);
  readonly #listeners = new Set<BusListener>();

  override publishNote(note: RoomNote): void {
    this.#tell((listener) => listener.onNote?.(note));
  }

  override publishSignal(signal: Signal): void {
    this.#tell((listener) => listener.onSignal?.(signal));
  }

  override publishAct(recorded: RecordedAct): void {
    this.#tell((listener) => listener.onAct?.(recorded));
  }

  override publishQuestion(question: Question): void {
    this.#tell((listener) => listener.onQuestion?.(question));
  }

  override publishAnswer(answer: Answer): void {
    this.#tell((listener) => listener.onAnswer?.(answer));
  }

  override follow(): Promise<void> {
    return Promise.resolve();
  }

  override unfollow(): void {
    // Nothing is kept by room: every listener hears all.
  }

  override listen(listener: BusListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  override health(): BusHealth {
    return { status: 'up' };
  }

  override get droppedAt(): null {
    return null;
  }

  // What is published is committed: a listener that fails must be no reason to commit it again.
  #tell(call: (listener: BusListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener);
      } catch (err) {
        this.#logger.error({ err }, 'A listener of the bus failed');
      }
    }
  }
}
