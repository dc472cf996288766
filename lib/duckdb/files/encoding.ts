import iconv from "iconv-lite";

import { AgnesError } from "../../base/mod.ts";

/** Decodes bytes to text, chunk by chunk. */
export interface TextDecoding {
  write(bytes: Uint8Array): string;
  end(): string;
}

const BYTE_ORDER_MARKS = [
  ["utf-32le", [0xff, 0xfe, 0x00, 0x00]],
  ["utf-32be", [0x00, 0x00, 0xfe, 0xff]],
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
] as const;

/** The encoding of a file by its byte order mark; `null` without one. */
export function markedEncoding(
  head: Uint8Array,
): { readonly encoding: string; readonly markBytes: number } | null {
  const mark = BYTE_ORDER_MARKS.find(([, bytes]) => bytes.every((byte, at) => head[at] === byte));
  return mark === undefined ? null : { encoding: mark[0], markBytes: mark[1].length };
}

/** Detects the encoding of a file by its byte order mark or the positions of its zero bytes. */
export function detectEncoding(head: Uint8Array): string {
  const marked = markedEncoding(head);
  if (marked !== null) return marked.encoding;
  const [even, odd] = zerosIn(head);
  const half = Math.min(head.length, ZEROS_AMONG_BYTES) / 2;
  // Latin letters in UTF-16 leave every other byte zero.
  if (half >= 2 && odd > half * 0.4 && even === 0) return "utf-16le";
  if (half >= 2 && even > half * 0.4 && odd === 0) return "utf-16be";
  return "utf-8";
}

/**
 * Detects the byte order of UTF-16 without a byte order mark: delimiters, digits and line ends have one zero byte. Returns
 * any other encoding unchanged.
 *
 * @throws `RangeError` for bytes that are not UTF-16
 */
export function orderedEncoding(encoding: string, head: Uint8Array): string {
  if (!encoding.startsWith("utf-16")) return encoding;
  const [even, odd] = zerosIn(head);
  if (head.length > 0 && even + odd === 0) throw new RangeError("its bytes are not UTF-16");
  if (even === odd) return encoding;
  return even > odd ? "utf-16be" : "utf-16le";
}

/** Counts the zero bytes at even and at odd positions. */
function zerosIn(head: Uint8Array): readonly [even: number, odd: number] {
  let [even, odd] = [0, 0];
  for (const [at, byte] of head.subarray(0, ZEROS_AMONG_BYTES).entries()) {
    if (byte !== 0) continue;
    if (at % 2 === 0) even += 1;
    else odd += 1;
  }
  return [even, odd];
}

const ZEROS_AMONG_BYTES = 4096;

/**
 * Normalizes the name of an encoding: `UTF8`, `utf_8` and `utf-8` are the same.
 * @throws `invalid_input` for an unknown encoding
 */
export function encodingNamed(name: string): string {
  const folded = name.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (folded === "utf8") return "utf-8";
  if (folded === "utf16" || folded === "utf16le" || folded === "ucs2") return "utf-16le";
  if (folded === "utf16be") return "utf-16be";
  if (folded === "latin1" || folded === "iso88591") return "latin1";
  if (!iconv.encodingExists(folded)) {
    const reason = `unknown encoding ${name}; common ones are utf-8, utf-16le, utf-16be, latin1 and windows-1250 to windows-1258`;
    throw new AgnesError("invalid_input", { what: "csv.encoding", reason });
  }
  return /^(windows|cp|win)?125[0-8]$/.test(folded) ? `windows-${folded.slice(-4)}` : folded;
}

/** Creates a strict decoder, which throws a `RangeError` for invalid bytes. */
export function textDecoding(encoding: string): TextDecoding {
  if (encoding === "utf-8" || encoding === "utf-16le" || encoding === "utf-16be") {
    const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
    return { write: (bytes) => decoder.decode(bytes, { stream: true }), end: () => decoder.decode() };
  }
  const decoder = iconv.getDecoder(encoding);
  const strict = (text: string) => {
    if (text.includes("\ufffd")) throw new RangeError(`the bytes are not valid ${encoding}`);
    return text;
  };
  return {
    write: (bytes) => strict(decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))),
    end: () => strict(decoder.end() ?? ""),
  };
}
