/** Replaces the given secret values, and what looks like a credential, in a text that someone will read. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  // The longest first, or what begins with a shorter one would keep its end.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // A secret shorter than this would blank out ordinary text.
    if (secret.length < 4) continue;
    for (const spelling of spellings(secret)) clean = clean.replaceAll(spelling, "[redacted]");
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

/** Whether a text holds the value of a secret, as it is or encoded as addresses, JSON and base64 have it. */
export function holdsSecret(text: string, secrets: Iterable<string>): boolean {
  const texts = [text, decoded(text)];
  const parts = new Set(texts.flatMap((one) => one.split(/[/:@?&=#;,\s]+/)));
  return [...secrets].some((secret) => {
    if (secret === "") return false;
    // A shorter one is in ordinary text as well.
    if (secret.length < 4) return parts.has(secret);
    const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
    const encoded = [base64, base64.replaceAll("+", "-").replaceAll("/", "_")];
    return [...spellings(secret), ...encoded].some((spelling) => texts.some((one) => one.includes(spelling)));
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** How a secret may be written in an address or in JSON. */
function spellings(secret: string): readonly string[] {
  // A lone surrogate cannot be written in an address.
  const inAddress = /\p{Cs}/u.test(secret) ? secret : encodeURIComponent(secret);
  return [secret, inAddress, JSON.stringify(secret).slice(1, -1)];
}

/** Makes control characters visible, so that foreign text cannot forge a log line or move a cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
