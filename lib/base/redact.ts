/** Replaces the given secret values, and what looks like a credential, in a text that someone will read. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  for (const secret of secrets) {
    // A secret shorter than this would blank out ordinary text.
    if (secret.length < 4) continue;
    clean = clean.replaceAll(secret, "[redacted]").replaceAll(encodeURIComponent(secret), "[redacted]");
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

/** Makes control characters visible, so that foreign text cannot forge a log line or move a cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
