/** A token four bytes at a time, to be compared so in a third of the time of single bytes; the rest is left out. */
export function wordsOf(token: Uint8Array): Int32Array {
  const bytes = Buffer.from(token);
  const words = new Int32Array(Math.floor(bytes.length / 4));
  for (let at = 0; at < words.length; at++) words[at] = bytes.readInt32LE(4 * at);
  return words;
}

/** Whether four bytes are digits. */
export function allDigits(word: number): boolean {
  return ((word & 0xf0f0f0f0) | (((word + 0x06060606) & 0xf0f0f0f0) >>> 4)) === 0x33333333;
}

/** What may follow a backslash; `u` is left to the scanner. */
const ESCAPED_BYTES: Uint8Array = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrt')) ESCAPED_BYTES[byte] = 1;

/**
 * @param start the place of the opening quote
 * @returns the place after the closing quote; -1 for a string that must be looked at more closely
 */
export function matchString(text: DataView, start: number): number {
  let at = start + 1;
  for (;;) {
    while (isPlain(text.getInt32(at, true))) at += 4;
    let byte = text.getUint8(at);
    while (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) byte = text.getUint8((at += 1));
    if (byte === 0x22) return at + 1;
    if (byte !== 0x5c || ESCAPED_BYTES[text.getUint8(at + 1)] === 0) return -1;
    at += 2;
  }
}

/** Whether none of four bytes is a quote, a backslash or a control character. */
function isPlain(word: number): boolean {
  const quote = word ^ 0x22222222;
  const backslash = word ^ 0x5c5c5c5c;
  const found =
    ((word - 0x20202020) & ~word) | ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash);
  return (found & 0x80808080) === 0;
}
