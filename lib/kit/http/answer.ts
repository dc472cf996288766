import * as v from "valibot";

import {
  abortError,
  AgnesError,
  causesOf,
  messageOf,
  printable,
  redact,
  shown as shownValue,
  counted,
} from "../../base/mod.ts";
import type { HttpAnswer } from "./http.ts";
import type { Watch } from "./watch.ts";

const SIZE_BYTES_MAX = 256 * 1024 * 1024;

/** An answer with what is needed to read its body and to speak of it. */
export interface AnswerParts {
  readonly response: Response;
  readonly watch: Watch;
  /** `GET https://host/path`, fit for messages. */
  readonly what: string;
  /** The address, fit for messages. */
  readonly url: string;
  readonly secrets: ReadonlySet<string>;
  readonly sizeBytesMax: number | undefined;
}

/** The body of an answer, read once, in whichever form. */
export class OpenAnswer implements HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #parts: AnswerParts;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.status = parts.response.status;
    this.headers = parts.response.headers;
    this.url = parts.url;
    this.body = { [Symbol.asyncIterator]: () => pieces(parts) };
  }

  async json<T = unknown>(): Promise<T> {
    return this.parse(await this.text()) as T;
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  async bytes(): Promise<Uint8Array> {
    const { what, url, sizeBytesMax = SIZE_BYTES_MAX } = this.#parts;
    const read: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const piece of this.body) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > sizeBytesMax) {
        const reason = `${what} answered more than ${counted(sizeBytesMax, "byte")}`;
        throw new AgnesError("source_answer_invalid", { reason, url, status: this.status });
      }
      read.push(piece);
    }
    return read.length === 1 ? read[0]! : Buffer.concat(read, sizeBytes);
  }

  async cancel(): Promise<void> {
    this.#parts.watch.close();
    if (!this.#parts.response.bodyUsed) await this.#parts.response.body?.cancel();
  }

  /** Reads text as JSON. */
  parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      const start = shownValue(redact(text.trimStart().slice(0, 200), this.#parts.secrets), 40);
      throw this.#invalid(text === "" ? "is empty where JSON is expected" : `is not JSON: ${start}`, cause);
    }
  }

  /** Checks a parsed body. */
  check<T>(body: unknown, schema: v.GenericSchema<unknown, T> | undefined): T {
    if (schema === undefined) return body as T;
    const result = v.safeParse(schema, body, { abortEarly: true });
    if (result.success) return result.output;
    const [issue] = result.issues;
    const at = v.getDotPath(issue) ?? "the body";
    // What was received is left out: it may be a secret, and it is foreign text.
    throw this.#invalid(
      `does not have the expected form: ${at} should be ${issue.expected ?? issue.message}`,
    );
  }

  #invalid(reason: string, cause?: unknown): AgnesError {
    const { what, url } = this.#parts;
    const details = { reason: `the answer to ${what} ${reason}`, url, status: this.status };
    return new AgnesError("source_answer_invalid", details, { cause });
  }
}

async function* pieces({ response, watch, what, url, secrets }: AnswerParts): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined) {
      watch.start();
      const { done, value } = await reader.read();
      watch.stop();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw lostError(error, watch.signal, what, url, secrets);
  } finally {
    watch.close();
    await reader?.cancel().catch(() => {});
  }
}

/** What a failed connection means: our own stop, or a source that cannot be reached. */
export function lostError(
  error: unknown,
  signal: AbortSignal,
  what: string,
  url: string,
  secrets: Iterable<string>,
): AgnesError {
  if (signal.aborted) return abortError(signal, what);
  const { code, message } = rootOf(error);
  const reason = `${what} failed: ${printable(redact(code ?? message, secrets))}`;
  // A certificate does not become right by asking again.
  const isCertificate = code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO|TLS/.test(code);
  return isCertificate
    ? new AgnesError("source_refused", { reason, url })
    : new AgnesError("source_unavailable", { reason, url });
}

/** What the runtime says at the bottom of the chain; above it there is only "fetch failed". */
function rootOf(error: unknown): { readonly code?: string; readonly message: string } {
  let message = messageOf(error);
  for (const current of causesOf(error)) {
    if (!(current instanceof Error)) break;
    message = messageOf(current);
    if ("code" in current && typeof current.code === "string") return { code: current.code, message };
  }
  return { message };
}
