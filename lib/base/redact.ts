/** Replaces the given secret values, and what looks like a credential, in a text that someone will read. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text;
  // The longest first, or what begins with a shorter one would keep its end.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // A secret shorter than this would blank out ordinary text.
    if (secret.length < 4) continue;
    for (const spelling of spellings(secret)) clean = clean.replaceAll(spelling, "[redacted]");
    for (const inner of base64Inside(secret)) clean = withoutBase64(clean, inner);
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
    return [...spellings(secret), ...base64Inside(secret)].some((spelling) =>
      texts.some((one) => one.includes(spelling)),
    );
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

/** So few characters of base64 may be in ordinary text by chance. */
const BASE64_LENGTH_MIN = 6;

/**
 * The characters that base64 has for a text wherever it stands in what is encoded, in both alphabets. At each of the
 * three places in a group some bits of the first and last character belong to the neighbours, so those are left out.
 */
function base64Inside(secret: string): ReadonlySet<string> {
  const bytes = Buffer.from(secret);
  const whole = bytes.toString("base64url");
  const found = new Set([whole, whole.replaceAll("-", "+").replaceAll("_", "/")]);
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64url");
    const bits = 8 * (before + bytes.length);
    const inner = text.slice(Math.ceil((8 * before) / 6), Math.floor(bits / 6));
    if (inner.length < BASE64_LENGTH_MIN) continue;
    found.add(inner).add(inner.replaceAll("-", "+").replaceAll("_", "/"));
  }
  return found;
}

/** With what stands before and after it in the same base64: the user and the password of a Basic header. */
function withoutBase64(text: string, inner: string): string {
  let clean = "";
  let from = 0;
  for (let at = text.indexOf(inner); at !== -1; at = text.indexOf(inner, from)) {
    let start = at;
    while (start > from && isBase64(text, start - 1)) start -= 1;
    let end = at + inner.length;
    while (isBase64(text, end)) end += 1;
    while (text[end] === "=") end += 1;
    clean += `${text.slice(from, start)}[redacted]`;
    from = end;
  }
  return clean + text.slice(from);
}

function isBase64(text: string, at: number): boolean {
  const character = text[at];
  return character !== undefined && /[\w+/-]/.test(character);
}

/** Makes control characters visible, so that foreign text cannot forge a log line or move a cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    character === "\n" || character === "\t"
      ? character
      : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
