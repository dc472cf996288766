import { AgnesError } from "../../base/mod.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What `checkEntry` looks for, escapes that may hide it, and numbers that may be too large. */
const SUSPECT = /__proto__|\\u(?:00|d[89a-f])|e\+?\d{3}|\d{300}/i;

/** Half of a surrogate pair. */
const HALF = /\p{Surrogate}/u;

/**
 * Parses a body of one JSON object. Bytes that are not UTF-8, halves of surrogate pairs, numbers beyond the range of a double and
 * the key `__proto__` are errors, because the request would otherwise run with another value, or without a part of it.
 * @throws `body_malformed`, `request_invalid`
 */
export function parseBody(bytes: ArrayBuffer): unknown {
  const body = parseJson(bytes);
  // The schemas of objects accept arrays, as objects without fields.
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new AgnesError("request_invalid", {
      part: "body",
      field: "the value",
      reason: "it must be an object",
    });
  return body;
}

function parseJson(bytes: ArrayBuffer): unknown {
  try {
    const text = utf8.decode(bytes);
    return SUSPECT.test(text) ? JSON.parse(text, checkEntry) : JSON.parse(text);
  } catch (error) {
    if (error instanceof AgnesError) throw error;
    throw new AgnesError("body_malformed", {});
  }
}

function checkEntry(key: string, value: unknown): unknown {
  if (key === "__proto__") throw invalidBody("it has an unknown field");
  if (HALF.test(key) || (typeof value === "string" && HALF.test(value)))
    throw invalidBody("it contains half of a surrogate pair, which is not Unicode text");
  if (typeof value === "number" && !Number.isFinite(value))
    throw invalidBody("it contains a number beyond the range of a double");
  return value;
}

function invalidBody(reason: string): AgnesError {
  return new AgnesError("request_invalid", { part: "body", field: "the object", reason });
}
