/** Counts a marker in a stream of bytes that comes in chunks, without copying or parsing any of it. */
export class MarkerCount {
  #marker;
  #skip;
  /** Bytes of the marker at the end of the last chunk, when it may go on in the next. */
  #begun = 0;

  /** @param skip bytes behind each marker that cannot hold another one */
  constructor(marker, skip = 0) {
    this.#marker = marker;
    this.#skip = marker.length + skip;
  }

  /** @returns how many markers end in this chunk. @param onFound is told where the first one that lies wholly in it ends */
  feed(chunk, onFound) {
    const marker = this.#marker;
    const begun = this.#begun > 0 && this.#goesOn(chunk) ? 1 : 0;
    let count = 0;
    let end = 0;
    for (let at = chunk.indexOf(marker); at !== -1; at = chunk.indexOf(marker, at + this.#skip)) {
      end = at + marker.length;
      if (++count === 1) onFound?.(end);
    }
    this.#begun = this.#beginsAtEnd(chunk, end);
    return begun + count;
  }

  #goesOn(chunk) {
    for (let i = this.#begun; i < this.#marker.length; i++) if (chunk[i - this.#begun] !== this.#marker[i]) return false;
    return true;
  }

  #beginsAtEnd(chunk, from) {
    const last = chunk[chunk.length - 1];
    for (let length = Math.min(this.#marker.length - 1, chunk.length - from); length > 0; length--) {
      if (last !== this.#marker[length - 1]) continue;
      if (this.#marker.compare(chunk, chunk.length - length, chunk.length, 0, length) === 0) return length;
    }
    return 0;
  }
}
