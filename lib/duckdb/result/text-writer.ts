const encoder = new TextEncoder();
const SHORT_BYTES = 48;

const BILLION = 1_000_000_000;

/** Most results are small, and a larger buffer takes longer to create than their rows to write. */
const START_BYTES = 1 << 11;

/** Collects UTF-8 bytes. Hot paths write ASCII byte by byte. */
export class TextWriter {
  #bytes = new Uint8Array(START_BYTES);
  length = 0;

  /** Reserves space for `count` more bytes. */
  reserve(count: number): Uint8Array {
    const needed = this.length + count;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    return this.#bytes;
  }

  byte(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  bytes(values: Uint8Array): void {
    this.#copy(values, 0, values.length);
  }

  #copy(source: Uint8Array, from: number, to: number): void {
    const bytes = this.reserve(to - from);
    const place = this.length;
    this.length += to - from;
    // For a few bytes, a loop is faster than a native call.
    if (to - from > SHORT_BYTES) bytes.set(source.subarray(from, to), place);
    else for (let index = from; index < to; index++) bytes[place + index - from] = source[index]!;
  }

  /** Writes a text of ASCII characters. */
  ascii(text: string): void {
    const bytes = this.reserve(text.length);
    const place = this.length;
    for (let index = 0; index < text.length; index++) bytes[place + index] = text.charCodeAt(index);
    this.length += text.length;
  }

  text(text: string): void {
    this.bytes(encoder.encode(text));
  }

  /** Writes a safe integer. */
  integer(value: number): void {
    const positive = Math.abs(value);
    if (value < 0) this.byte(45);
    if (positive < BILLION) {
      let count = 1;
      for (let power = 10; count < 9 && positive >= power; power *= 10) count++;
      return this.#digits(positive, count);
    }
    const high = Math.floor(positive / BILLION);
    this.integer(high);
    this.#digits(positive - high * BILLION, 9);
  }

  /** Writes the last `count` digits of a safe integer that is not negative, with leading zeros. */
  digits(value: number, count: number): void {
    if (value < BILLION && count <= 9) return this.#digits(value, count);
    const high = Math.floor(value / BILLION);
    if (count > 9) this.digits(high, count - 9);
    this.#digits(value - high * BILLION, Math.min(count, 9));
  }

  /** Integers of 32 bits are divided much faster than others. */
  #digits(value: number, count: number): void {
    const bytes = this.reserve(count);
    let rest = value | 0;
    for (let place = this.length + count - 1; place >= this.length; place--) {
      const quotient = (rest / 10) | 0;
      bytes[place] = 48 + rest - quotient * 10;
      rest = quotient;
    }
    this.length += count;
  }

  /** Writes UTF-8 bytes as a JSON string. */
  jsonString(source: Uint8Array, from: number, to: number): void {
    // The longest escape has six characters.
    const bytes = this.reserve((to - from) * 6 + 2);
    let place = this.length;
    bytes[place++] = 34;
    for (let index = from; index < to; index++) {
      const byte = source[index]!;
      if (byte >= 32 && byte !== 34 && byte !== 92) bytes[place++] = byte;
      else {
        bytes[place++] = 92;
        const short = SHORT_ESCAPES[byte];
        if (short !== undefined) bytes[place++] = short;
        else {
          for (const character of `u${byte.toString(16).padStart(4, "0")}`) {
            bytes[place++] = character.charCodeAt(0);
          }
        }
      }
    }
    bytes[place++] = 34;
    this.length = place;
  }

  /** Writes UTF-8 bytes as a CSV field. An empty text is quoted to distinguish it from a null. */
  csvField(source: Uint8Array, from: number, to: number): void {
    let plain = to > from;
    for (let index = from; plain && index < to; index++) {
      const byte = source[index]!;
      plain = byte !== 34 && byte !== 44 && byte !== 10 && byte !== 13;
    }
    if (plain) return this.#copy(source, from, to);
    const bytes = this.reserve((to - from) * 2 + 2);
    let place = this.length;
    bytes[place++] = 34;
    for (let index = from; index < to; index++) {
      if (source[index] === 34) bytes[place++] = 34;
      bytes[place++] = source[index]!;
    }
    bytes[place++] = 34;
    this.length = place;
  }

  /** Returns the written bytes and clears the writer. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }

  /** Returns the written bytes, valid until the next call. */
  peek(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

const SHORT_ESCAPES: { readonly [byte: number]: number } = {
  8: 98,
  9: 116,
  10: 110,
  12: 102,
  13: 114,
  34: 34,
  92: 92,
};
