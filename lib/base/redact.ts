import { findSecret } from "./secret-forms.ts";

/** Redacts the secret values and anything that looks like a credential in text for display. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  // Longest first, otherwise the rest of a secret that starts with a shorter one would remain.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // Shorter secrets would redact ordinary text.
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

/** Whether text contains the value of a secret, plain or in an encoding that `findSecret` detects. */
export function holdsSecret(text: string, secrets: Iterable<string>): boolean {
  const parts = new Set([text, decoded(text)].flatMap((one) => one.split(/[/:@?&=#;,\s]+/)));
  return [...secrets].some((secret) => {
    if (secret === "") return false;
    // Shorter ones also occur in ordinary text.
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

/** Escapes control characters, so that untrusted text cannot forge a log line or move the cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
