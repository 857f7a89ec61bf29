/** Counts a marker in a stream of bytes that comes in chunks, without copying or parsing any of it. */
export class MarkerCount {
  #marker;
  #skip;
  /** Bytes of the marker at the end of what came, when it may go on in the next chunk. */
  #begun = 0;
  /** Where a marker that began in the last chunk is looked for: what was there of it, and the head of the next. */
  #seam;

  /** @param skip bytes behind each marker that cannot hold another one */
  constructor(marker, skip = 0) {
    this.#marker = marker;
    this.#skip = marker.length + skip;
    this.#seam = Buffer.alloc(2 * marker.length);
  }

  /** @returns how many markers end in this chunk. @param onFound is told where the first one that lies wholly in it ends */
  feed(chunk, onFound) {
    const marker = this.#marker;
    let count = 0;
    let end = 0;
    if (this.#begun > 0) {
      end = this.#endAtSeam(chunk);
      if (end > 0) count = 1;
      else if (chunk.length < marker.length - 1) return 0;
    }
    let whole = 0;
    for (let at = chunk.indexOf(marker, end); at !== -1; at = chunk.indexOf(marker, at + this.#skip)) {
      end = at + marker.length;
      if (++whole === 1) onFound?.(end);
    }
    this.#begun = this.#beginsAtEnd(chunk, end, chunk.length);
    return count + whole;
  }

  /** @returns where in the chunk the marker ends that began before it, or 0; then `#begun` counts this chunk too, for the case that it is a short one. */
  #endAtSeam(chunk) {
    const marker = this.#marker;
    const begun = this.#begun;
    marker.copy(this.#seam, 0, 0, begun);
    const length = begun + chunk.copy(this.#seam, begun, 0, marker.length - 1);
    const at = this.#seam.subarray(0, length).indexOf(marker);
    if (at !== -1) return at + marker.length - begun;
    this.#begun = this.#beginsAtEnd(this.#seam, 0, length);
    return 0;
  }

  #beginsAtEnd(bytes, from, to) {
    const last = bytes[to - 1];
    for (let length = Math.min(this.#marker.length - 1, to - from); length > 0; length--) {
      if (last !== this.#marker[length - 1]) continue;
      if (this.#marker.compare(bytes, to - length, to, 0, length) === 0) return length;
    }
    return 0;
  }
}
