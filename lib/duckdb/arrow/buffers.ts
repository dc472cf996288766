/** A growable byte buffer. */
export class Bytes {
  data: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.data = new Uint8Array(Math.max(capacity, 16));
  }

  /**
   * Reserves `count` more bytes, which the caller fills, and returns their start.
   * @param spare bytes after them that the caller may overwrite. Default: 0
   */
  grow(count: number, spare = 0): number {
    const start = this.length;
    this.length += count;
    if (this.length + spare > this.data.length) {
      const larger = new Uint8Array(Math.max(this.length + spare, this.data.length * 2));
      larger.set(this.data.subarray(0, start));
      this.data = larger;
    }
    return start;
  }

  append(bytes: Uint8Array): void {
    const start = this.grow(bytes.length);
    this.data.set(bytes, start);
  }

  taken(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }
}

/** A growable validity bitmap. A set bit is a value. */
export class Validity {
  #bits: Uint8Array<ArrayBuffer>;
  rows = 0;
  nulls = 0;

  constructor(capacity: number) {
    this.#bits = new Uint8Array((Math.max(capacity, 64) + 7) >> 3).fill(255);
  }

  /** Appends `count` rows of a bitmap, starting at `from`. Without a bitmap, all rows are values. */
  append(bitmap: Uint8Array | null, from: number, count: number): void {
    const start = this.rows;
    this.rows += count;
    if ((this.rows + 7) >> 3 > this.#bits.length) {
      const larger = new Uint8Array(Math.max((this.rows + 7) >> 3, this.#bits.length * 2)).fill(255);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    if (bitmap === null) return;
    for (let row = 0; row < count; row++) {
      const bit = from + row;
      // Fast path: eight values at once.
      if ((bit & 7) === 0 && bitmap[bit >> 3] === 255) {
        row += 7;
        continue;
      }
      if (((bitmap[bit >> 3]! >> (bit & 7)) & 1) === 1) continue;
      this.#bits[(start + row) >> 3]! &= ~(1 << ((start + row) & 7));
      this.nulls += 1;
    }
  }

  /** Returns the bitmap; `undefined` if there are no nulls. */
  taken(): Uint8Array<ArrayBuffer> | undefined {
    return this.nulls === 0 ? undefined : this.#bits.subarray(0, (this.rows + 7) >> 3);
  }
}

/** Returns whether a row of a bitmap is a value. */
export function isValid(bitmap: Uint8Array | null, row: number): boolean {
  return bitmap === null || ((bitmap[row >> 3]! >> (row & 7)) & 1) === 1;
}
