import { findSecret, secretSpellings } from "./secret-forms.ts";

/** A prefix of a secret of at least this length, before `…`, is a truncated secret. */
const CUT_LENGTH_MIN = 6;
/** A shorter line of a secret may be ordinary text. */
const LINE_LENGTH_MIN = 8;

/** Redacts the secret values and anything that looks like a credential in text for display. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  // Longest first, otherwise the rest of a secret that starts with a shorter one would remain.
  // Shorter secrets would redact ordinary text.
  const hidden = withLines([...secrets])
    .filter(({ length }) => length >= 4)
    .sort((a, b) => b.length - a.length);
  let clean = text;
  for (const secret of hidden) clean = withoutSecret(clean, secret);
  if (clean.includes("…")) clean = clean.split("…").map(withoutCut(hidden)).join("…");
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

/** Adds the lines of secrets such as private keys: what is printed in several lines is logged by line. */
function withLines(secrets: readonly string[]): readonly string[] {
  if (!secrets.some((secret) => secret.includes("\n"))) return secrets;
  const lines = secrets.flatMap((secret) => secret.split("\n").map((line) => line.trim()));
  return [...new Set([...secrets, ...lines.filter(({ length }) => length >= LINE_LENGTH_MIN)])];
}

/** Redacts the prefix of a secret at the end of truncated text. */
function withoutCut(
  secrets: readonly string[],
): (text: string, at: number, pieces: readonly string[]) => string {
  const spellings = secrets.flatMap(secretSpellings);
  return (text, at, pieces) => {
    if (at === pieces.length - 1) return text;
    const longest = Math.max(0, ...spellings.map((spelling) => cutLength(text, spelling)));
    return longest < CUT_LENGTH_MIN ? text : `${text.slice(0, -longest)}[redacted]`;
  };
}

/** Returns the length of the longest secret prefix at the end of the text. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= CUT_LENGTH_MIN; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
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
