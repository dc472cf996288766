/** A token in words of four bytes, which compare in a third of the time of single bytes; without the remainder. */
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

/** The characters that may follow a backslash; the scanner handles `u`. */
const ESCAPED_BYTES: Uint8Array = new Uint8Array(256);
for (const byte of Buffer.from('"\\/bfnrt')) ESCAPED_BYTES[byte] = 1;

/**
 * @param start the offset of the opening quote
 * @returns the offset after the closing quote; -1 for a string that the scanner must check
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
