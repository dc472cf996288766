import { AgnesError, printable, redact } from "../../base/mod.ts";
import type { OpenResponse } from "./response.ts";
import { isTransientStatus, retryAfterMs } from "./retry.ts";

const MESSAGE_LENGTH_MAX = 200;
const BODY_BYTES_MAX = 64 * 1024;

/** Returns the error for a status, `source_unavailable` if it is retried, with the message of the source if its format is known. */
export async function statusError(
  response: OpenResponse,
  what: string,
  secrets: Iterable<string>,
  { now, isRetried }: { readonly now: Date; readonly isRetried: boolean },
): Promise<AgnesError> {
  const { status, url } = response;
  const message = await messageOfBody(response);
  const suffix =
    message === undefined ? "" : `: ${printable(redact(message, secrets)).slice(0, MESSAGE_LENGTH_MAX)}`;
  const details = { reason: `${what} responded with status ${status}${suffix}`, url, status };
  if (isRetried || isTransientStatus(status)) {
    const waitMs = retryAfterMs(response.headers.get("retry-after"), now);
    return new AgnesError("source_unavailable", {
      ...details,
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    });
  }
  return status === 401 || status === 403
    ? new AgnesError("source_unauthorized", details)
    : new AgnesError("source_refused", details);
}

async function messageOfBody(response: OpenResponse): Promise<string | undefined> {
  const text = await start(response);
  if (text === undefined) return undefined;
  try {
    return messageIn(JSON.parse(text));
  } catch {
    // Not JSON, such as an HTML page: no message in a known format.
    return undefined;
  }
}

/** Reads the body up to a size limit; a failure to read it must not hide the original error. */
async function start(response: OpenResponse): Promise<string | undefined> {
  const read: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of response.body) {
      read.push(piece);
      sizeBytes += piece.byteLength;
      if (sizeBytes > BODY_BYTES_MAX) return undefined;
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(read).toString("utf8");
}

const MESSAGE_KEYS = ["message", "error_description", "error", "detail", "title", "errorMessages", "errors"];

function messageIn(body: unknown, depth = 0): string | undefined {
  if (typeof body === "string") return body === "" ? undefined : body;
  if (typeof body !== "object" || body === null || depth > 3) return undefined;
  if (Array.isArray(body)) return messageIn(body[0], depth + 1);
  for (const key of MESSAGE_KEYS) {
    const found = messageIn((body as Readonly<Record<string, unknown>>)[key], depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
