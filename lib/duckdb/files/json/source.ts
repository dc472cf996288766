import { AgnesError } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { markedEncoding, textDecoding } from "../encoding.ts";
import { openBytes } from "../open-bytes.ts";

/** A JSON file as bytes of UTF-8. */
export interface JsonBytes {
  /** What the file says it is, by a byte order mark; null without one. */
  readonly mark: string | null;
  /** Without the mark; to be read once. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @throws `file_unreadable` */
export async function jsonBytes(file: FileInput, signal?: AbortSignal): Promise<JsonBytes> {
  const raw = openBytes(file, signal, CHUNK_BYTES);
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < MARK_BYTES_MAX) {
    const next = await raw.next();
    if (next.done === true) break;
    first = Buffer.concat([first, next.value]);
  }
  const marked = markedEncoding(first);
  if (marked === null) return { mark: null, chunks: rejoined(first, raw) };
  const rest = rejoined(first.subarray(marked.markBytes), raw);
  const { encoding: mark } = marked;
  return { mark, chunks: mark === "utf-8" ? rest : transcoded(file, rest, mark) };
}

const CHUNK_BYTES = 512 * 1024;
const MARK_BYTES_MAX = 4;

async function* rejoined(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* transcoded(
  file: FileInput,
  bytes: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  const invalid = (reason: string) => new AgnesError("file_unreadable", { path: originOf(file), reason });
  if (encoding.startsWith("utf-32")) throw invalid("it is in UTF-32; write it as UTF-8");
  const decoder = textDecoding(encoding);
  const decoded = (decode: () => string) => {
    try {
      return Buffer.from(decode());
    } catch {
      throw invalid(`it is not valid ${encoding.toUpperCase()}`);
    }
  };
  for await (const chunk of bytes) yield decoded(() => decoder.write(chunk));
  yield decoded(() => decoder.end());
}
