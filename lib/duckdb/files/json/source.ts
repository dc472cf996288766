import { AgnesError } from "../../../base/mod.ts";
import { originOf } from "../columns.ts";
import { markedEncoding, textDecoding } from "../encoding.ts";
import { decodedOr } from "../misencoded.ts";
import { openBytes, type HostFile } from "../open-bytes.ts";

/** A JSON file as UTF-8 bytes. */
export interface JsonBytes {
  /** The encoding, by byte order mark or first characters; `null` for UTF-8 without a byte order mark. */
  readonly mark: string | null;
  /** The bytes without the byte order mark; can be read once. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @throws `file_unreadable` */
export async function jsonBytes(file: HostFile, signal?: AbortSignal): Promise<JsonBytes> {
  const raw = openBytes(file, signal, CHUNK_BYTES);
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < MARK_BYTES_MAX) {
    const next = await raw.next();
    if (next.done === true) break;
    first = Buffer.concat([first, next.value]);
  }
  const marked = markedEncoding(first) ?? unmarkedEncoding(first);
  if (marked === null) return { mark: null, chunks: rejoined(first, raw) };
  const { encoding: mark } = marked;
  if (mark.startsWith("utf-32")) {
    await raw.return(undefined);
    const reason = `it is in UTF-32; ${WRITE_UTF8}`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  const rest = rejoined(first.subarray(marked.markBytes), raw);
  return { mark, chunks: mark === "utf-8" ? rest : transcoded(file, rest, mark, signal) };
}

/** The advice for a JSON file with invalid bytes. */
export const WRITE_UTF8 = "write it as UTF-8";

const CHUNK_BYTES = 512 * 1024;
const MARK_BYTES_MAX = 4;

/** JSON begins with an ASCII character other than NUL, so zero bytes show the width of characters, as in RFC 4627. */
function unmarkedEncoding(head: Uint8Array): ReturnType<typeof markedEncoding> {
  const zeros = [...head.subarray(0, MARK_BYTES_MAX)].map((byte) => (byte === 0 ? "0" : "x")).join("");
  const found = UNMARKED.find(([start]) => zeros.startsWith(start));
  return found === undefined ? null : { encoding: found[1], markBytes: 0 };
}

const UNMARKED = [
  ["000x", "utf-32be"],
  ["x000", "utf-32le"],
  ["0x", "utf-16be"],
  ["x0", "utf-16le"],
] as const;

async function* rejoined(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* transcoded(
  file: HostFile,
  bytes: AsyncIterable<Uint8Array>,
  encoding: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const decoder = textDecoding(encoding);
  const from = { file, encoding, signal, advice: WRITE_UTF8 };
  for await (const chunk of bytes) yield Buffer.from(await decodedOr(() => decoder.write(chunk), from));
  yield Buffer.from(await decodedOr(() => decoder.end(), from));
}
