import { Injectable } from '@nestjs/common';
import { type Act, type BusListener, RoomBus, type RoomNote, type Signal } from './room-bus.js';

/** The bus of a server that is alone: every listener is in this process. */
@Injectable()
export class LocalBus extends RoomBus {
  readonly #listeners = new Set<BusListener>();

  override publishNote(note: RoomNote): void {
    for (const listener of this.#listeners) listener.onNote?.(note);
  }

  override publishSignal(signal: Signal): void {
    for (const listener of this.#listeners) listener.onSignal?.(signal);
  }

  override publishAct(act: Act): void {
    for (const listener of this.#listeners) listener.onAct?.(act);
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
}
