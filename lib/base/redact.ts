import { findSecret } from "./secret-forms.ts";

/** Replaces the given secret values, and what looks like a credential, in a text that someone will read. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  // The longest first, or what begins with a shorter one would keep its end.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // A secret shorter than this would blank out ordinary text.
    if (secret.length < 4) continue;
    clean = withoutSecret(clean, secret);
  }
  return clean
    .replace(
      /\b(authorization|proxy-authorization)(["']?\s*[:=]\s*["']?)(bearer|basic)?\s*[^\s"',;]+/gi,
      "$1$2[redacted]",
    )
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, "$1 [redacted]")
    .replace(
      /([?&](?:[\w-]*(?:token|secret|key|signature|sig|password|credential)[\w-]*)=)[^&\s"']+/gi,
      "$1[redacted]",
    )
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+:[^\s/@"']+@/gi, "$1[redacted]@");
}

/** Whether a text holds the value of a secret, as it is or in a form that `findSecret` knows. */
export function holdsSecret(text: string, secrets: Iterable<string>): boolean {
  const parts = new Set([text, decoded(text)].flatMap((one) => one.split(/[/:@?&=#;,\s]+/)));
  return [...secrets].some((secret) => {
    if (secret === "") return false;
    // A shorter one is in ordinary text as well.
    return secret.length < 4 ? parts.has(secret) : findSecret(text, secret).length > 0;
  });
}

function withoutSecret(text: string, secret: string): string {
  let clean = "";
  let from = 0;
  for (const { start, end } of findSecret(text, secret)) {
    clean += `${text.slice(from, start)}[redacted]`;
    from = end;
  }
  return clean + text.slice(from);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** Makes control characters visible, so that foreign text cannot forge a log line or move a cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
