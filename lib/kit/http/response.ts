import * as v from "valibot";

import {
  abortError,
  AgnesError,
  causesOf,
  messageOf,
  printable,
  redact,
  formatValue as shownValue,
  counted,
} from "../../base/mod.ts";
import type { HttpResponse } from "./http.ts";
import type { Watch } from "./watch.ts";

const SIZE_BYTES_MAX = 256 * 1024 * 1024;

/** A response with the context to read its body and to report errors. */
export interface ResponseParts {
  readonly response: Response;
  readonly watch: Watch;
  /** The method and redacted URL for messages: `GET https://host/path`. */
  readonly what: string;
  /** The redacted URL for messages. */
  readonly url: string;
  readonly secrets: ReadonlySet<string>;
  readonly maxBytes: number | undefined;
}

/** A response whose body can be read once, in any format. */
export class OpenResponse implements HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #parts: ResponseParts;

  constructor(parts: ResponseParts) {
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
    const { what, url, maxBytes = SIZE_BYTES_MAX } = this.#parts;
    const read: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const piece of this.body) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > maxBytes) {
        const reason = `the response to ${what} is larger than ${counted(maxBytes, "byte")}`;
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

  parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      const start = shownValue(redact(text.trimStart().slice(0, 200), this.#parts.secrets), 40);
      throw this.#invalid(text === "" ? "is empty, expected JSON" : `is not JSON: ${start}`, cause);
    }
  }

  /** Validates a parsed body. */
  check<T>(body: unknown, schema: v.GenericSchema<unknown, T> | undefined): T {
    if (schema === undefined) return body as T;
    const result = v.safeParse(schema, body, { abortEarly: true });
    if (result.success) return result.output;
    const [issue] = result.issues;
    const at = v.getDotPath(issue) ?? "the body";
    // The received value is omitted: it is untrusted and may be a secret.
    throw this.#invalid(`does not match the schema: ${at} should be ${issue.expected ?? issue.message}`);
  }

  #invalid(reason: string, cause?: unknown): AgnesError {
    const { what, url } = this.#parts;
    const details = { reason: `the response to ${what} ${reason}`, url, status: this.status };
    return new AgnesError("source_answer_invalid", details, { cause });
  }
}

async function* pieces({ response, watch, what, url, secrets }: ResponseParts): AsyncGenerator<Uint8Array> {
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

/** The error for a failed connection: aborted by the caller, or source not reachable. */
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
  // A retry cannot fix an invalid certificate.
  const isCertificate = code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO|TLS/.test(code);
  return isCertificate
    ? new AgnesError("source_refused", { reason, url })
    : new AgnesError("source_unavailable", { reason, url });
}

/** The root cause in the error chain; the errors above it only have the message "fetch failed". */
function rootOf(error: unknown): { readonly code?: string; readonly message: string } {
  let message = messageOf(error);
  for (const current of causesOf(error)) {
    if (!(current instanceof Error)) break;
    message = messageOf(current);
    if ("code" in current && typeof current.code === "string") return { code: current.code, message };
  }
  return { message };
}
