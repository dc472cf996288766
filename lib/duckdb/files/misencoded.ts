import { AgnesError } from "../../base/mod.ts";
import { originOf } from "./columns.ts";
import { markedEncoding, textDecoding } from "./encoding.ts";
import { openBytes, type HostFile } from "./open-bytes.ts";

/** The file whose bytes are decoded. */
interface DecodedFile {
  /** What to do about the error. */
  readonly advice?: string;
  readonly file: HostFile;
  readonly encoding: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `decode` and returns its result.
 * @throws `file_unreadable` with the line, the character and the invalid byte; the file is read again to find them
 */
export async function decodedOr(decode: () => string, from: DecodedFile): Promise<string> {
  try {
    return decode();
  } catch (cause) {
    throw await misencoded(from, cause);
  }
}

/** The error for a file with bytes that are invalid in its encoding; see `decodedOr`. */
export async function misencoded(from: DecodedFile, cause?: unknown): Promise<AgnesError> {
  const { file, encoding, signal, advice = "set csv.encoding to its encoding, such as windows-1252" } = from;
  const name = encoding === "utf-8" ? "UTF-8" : encoding;
  const found = await firstBadByte(file, encoding, signal);
  const problem =
    found === null
      ? `it is not ${name}`
      : `line ${found.line}, character ${found.character}: byte 0x${found.byte.toString(16).padStart(2, "0")} is not ${name}`;
  const reason = `${problem}; ${advice}`;
  return new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause });
}

interface BadByte {
  /** From 1. */
  readonly line: number;
  /** From 1, in the line. */
  readonly character: number;
  readonly byte: number;
}

/** More than the size of a character, so that decoding restarts before the invalid one. */
const STEPS_BACK_BYTES = 8;

async function firstBadByte(
  file: HostFile,
  encoding: string,
  signal: AbortSignal | undefined,
): Promise<BadByte | null> {
  const from = Math.max(0, (await startOfBadChunk(file, encoding, signal)) - STEPS_BACK_BYTES);
  const decoding = textDecoding(encoding);
  const place = new Place();
  let at = 0;
  // The bytes of the incomplete character.
  let open: number[] = [];
  for await (const piece of chunksOf(file, signal)) {
    const plain = piece.subarray(0, Math.max(0, from - at));
    at += piece.length;
    place.pass(decoding.write(plain));
    for (const byte of piece.subarray(plain.length)) {
      open.push(byte);
      try {
        const text = decoding.write(Uint8Array.of(byte));
        place.pass(text);
        if (text !== "") open = [];
      } catch {
        return { line: place.line, character: place.character, byte: open[0]! };
      }
    }
  }
  return open[0] === undefined ? null : { line: place.line, character: place.character, byte: open[0] };
}

/** The offset of the first chunk that cannot be decoded; the end of the file if it ends inside a character. */
async function startOfBadChunk(
  file: HostFile,
  encoding: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const decoding = textDecoding(encoding);
  let at = 0;
  for await (const piece of chunksOf(file, signal)) {
    try {
      decoding.write(piece);
    } catch {
      return at;
    }
    at += piece.length;
  }
  return at;
}

/** The bytes of a file after its byte order mark. */
async function* chunksOf(file: HostFile, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const bytes of openBytes(file, signal)) {
    yield isFirst ? bytes.subarray(markedEncoding(bytes)?.markBytes ?? 0) : bytes;
    isFirst = false;
  }
}

/** A position in a text. */
class Place {
  line = 1;
  character = 1;
  #isBehindReturn = false;

  pass(text: string): void {
    for (const character of text) {
      const isSecondHalf = character === "\n" && this.#isBehindReturn;
      this.#isBehindReturn = character === "\r";
      if (isSecondHalf) continue;
      if (character === "\n" || character === "\r") {
        this.line += 1;
        this.character = 1;
      } else {
        this.character += 1;
      }
    }
  }
}
