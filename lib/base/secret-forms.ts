/** A range in a text. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds a secret in text, in order and without overlaps: plain, escaped for JSON, SQL, HTML, connection strings or URLs,
 * fully or in part, in hexadecimal, or in base64, also across lines or inside longer base64. Used for redaction and for
 * rejection.
 */
export function findSecret(text: string, secret: string): readonly Range[] {
  const forms = formsOf(secret);
  const found = [
    ...escapedIn(text, secret, forms),
    ...hexadecimalIn(text, forms),
    ...forms.base64.flatMap((spelling) => base64In(text, spelling)),
  ];
  return merged(found);
}

/** The search forms of one secret; patterns are compiled on first use. */
interface SecretForms {
  readonly hexadecimal: string;
  /** The base64 encodings in all alphabets and escapes. */
  readonly base64: readonly Base64Spelling[];
  readonly escapedPattern: () => RegExp;
  readonly hexadecimalPattern: () => RegExp;
}

interface Base64Spelling {
  readonly text: string;
  readonly wrappedPattern: () => RegExp;
}

/** A cache, because compiling the patterns takes longer than matching them, and the same few secrets are searched everywhere. */
const known = new Map<string, SecretForms>();
const KNOWN_MAX = 64;

function formsOf(secret: string): SecretForms {
  const found = known.get(secret);
  if (found !== undefined) return found;
  if (known.size >= KNOWN_MAX) known.clear();
  const bytes = Buffer.from(secret);
  const hexadecimal = bytes.toString("hex");
  const base64 = base64Inside(bytes).flatMap((inner) => [inner, forAddress(inner), ...inAddress(inner)]);
  const forms: SecretForms = {
    hexadecimal,
    base64: [...new Set(base64)].map((text) => ({ text, wrappedPattern: once(() => wrappedPattern(text)) })),
    escapedPattern: once(() => new RegExp(Array.from(secret, escapedCharacter).join(""), "gu")),
    hexadecimalPattern: once(
      () => new RegExp(hexadecimal.match(/../g)!.join(String.raw`(?:0x|\\{1,2}x|[\s:,._-]){0,3}`), "gi"),
    ),
  };
  known.set(secret, forms);
  return forms;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/** The forms of a secret whose prefixes are searched in truncated text. */
export function secretSpellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hexadecimal = bytes.toString("hex");
  const base64 = base64Inside(bytes).flatMap((inner) => [inner, forAddress(inner)]);
  return [...plainSpellings(secret), hexadecimal, hexadecimal.toUpperCase(), ...base64];
}

function plainSpellings(secret: string): readonly string[] {
  // A lone surrogate cannot be URL-encoded.
  const inAddress = /\p{Cs}/u.test(secret) ? secret : encodeURIComponent(secret);
  const inHtml = secret.replace(/[&<>"']/g, (character) => `&${HTML_NAMES[character]};`);
  const json = JSON.stringify(secret).slice(1, -1);
  const inSql = secret.replaceAll("'", "''");
  return [...new Set([secret, inAddress, json, inSql, secret.replace(/[\\']/g, "\\$&"), inHtml])];
}

/** The pattern of a longer secret would be too large; only its usual encodings are searched. */
const PATTERN_LENGTH_MAX = 2_000;

function escapedIn(text: string, secret: string, forms: SecretForms): readonly Range[] {
  if (!/[%\\+&]|''|""/.test(text)) return placesOf(text, secret);
  if (secret.length > PATTERN_LENGTH_MAX) {
    return plainSpellings(secret).flatMap((spelling) => placesOf(text, spelling));
  }
  return matchesOf(text, forms.escapedPattern());
}

/** The hexadecimal digits of the bytes, also with separators, such as in a dump. */
function hexadecimalIn(text: string, { hexadecimal, hexadecimalPattern }: SecretForms): readonly Range[] {
  if (text.length < hexadecimal.length) return [];
  if (hexadecimal.length > PATTERN_LENGTH_MAX) {
    return placesOf(text.replace(/[A-F]/g, lowerCase), hexadecimal);
  }
  return matchesOf(text, hexadecimalPattern());
}

function matchesOf(text: string, pattern: RegExp): readonly Range[] {
  return [...text.matchAll(pattern)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
}

/** Returns a pattern of all encodings of a character in plain text, JSON, SQL, HTML and URLs, also nested ones. */
function escapedCharacter(character: string): string {
  const units = [...Array(character.length).keys()].map((at) => character.charCodeAt(at));
  const point = character.codePointAt(0)!;
  const literal = `\\u{${point.toString(16)}}`;
  const bytes = [...Buffer.from(character)].map(twoDigits);
  // Latin-1 is identical to UTF-8 for ASCII letters.
  const bytesOfAll = point >= 0x80 && point <= 0xff ? [bytes, [twoDigits(point)]] : [bytes];
  const encodings = [
    units.map((unit) => String.raw`\\{1,2}u${anyCase(unit.toString(16).padStart(4, "0"))}`).join(""),
    ...bytesOfAll.flatMap((all) => [
      all.map((byte) => `%(?:25){0,4}${byte}`).join(""),
      all.map((byte) => String.raw`\\{1,3}x${byte}`).join(""),
    ]),
    `&(?:amp;)?#(?:0*${point}|[xX]0*${anyCase(point.toString(16))});`,
    literal,
  ];
  const named = HTML_NAMES[character];
  if (named !== undefined) encodings.unshift(`&(?:amp;)?(?:${character === "'" ? "apos" : named});`);
  if (character === "'" || character === '"') encodings.unshift(`${literal}{2}`);
  // A connection string may have a backslash before any punctuation.
  if (/[!-.:-@[\]-`{-~ ]/.test(character)) encodings.unshift(String.raw`\\{1,3}${literal}`);
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) encodings.unshift(String.raw`\\{1,3}${short}`);
  if (character === " ") encodings.push(String.raw`\+`);
  return `(?:${encodings.join("|")})`;
}

const HTML_NAMES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "#39",
};

/** The escape characters after the backslash, as patterns. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\\": String.raw`\\`,
  "/": String.raw`\/`,
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};

function anyCase(digits: string): string {
  return digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

const twoDigits = (byte: number): string => anyCase(byte.toString(16).padStart(2, "0"));

const lowerCase = (letter: string): string => letter.toLowerCase();

/** Shorter base64 may occur in ordinary text by chance. */
const BASE64_LENGTH_MIN = 6;

/**
 * The base64 characters of the bytes at any offset in the encoded data. At each of the three offsets in a group, the
 * first and last characters share bits with their neighbours, so they are omitted.
 */
function base64Inside(bytes: Buffer): readonly string[] {
  const found = new Set([bytes.toString("base64").replace(/=+$/, "")]);
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const inner = text.slice(Math.ceil((8 * before) / 6), Math.floor((8 * (before + bytes.length)) / 6));
    if (inner.length >= BASE64_LENGTH_MIN) found.add(inner);
  }
  return [...found];
}

const forAddress = (base64: string): string => base64.replaceAll("+", "-").replaceAll("/", "_");

/** Extends a match to the surrounding base64, such as the user and the password of a Basic header. */
function base64In(text: string, spelling: Base64Spelling): readonly Range[] {
  return [...placesOf(text, spelling.text), ...wrappedIn(text, spelling)].map((place) => {
    let { start, end } = place;
    while (start > 0 && isBase64(text, start - 1)) start -= 1;
    while (isBase64(text, end)) end += 1;
    end += /^(?:=|%(?:25)?3d)*/i.exec(text.slice(end, end + 12))![0].length;
    return { start, end };
  });
}

/** Matches base64 split into lines by MIME or PEM, also with escaped line breaks. */
function wrappedIn(text: string, spelling: Base64Spelling): readonly Range[] {
  if (spelling.text.length > 4 * PATTERN_LENGTH_MAX || !/[\r\n]|\\[rn]/.test(text)) return [];
  return matchesOf(text, spelling.wrappedPattern());
}

function wrappedPattern(base64: string): RegExp {
  const characters = Array.from(base64, (character) => (/\w/.test(character) ? character : `\\${character}`));
  return new RegExp(characters.join(String.raw`(?:\\{1,2}[rn]|\s){0,6}`), "g");
}

function inAddress(base64: string): readonly string[] {
  const upper = encodeURIComponent(base64);
  const lower = upper.replace(/%../g, lowerCase);
  return [upper, lower, upper.replaceAll("%", "%25"), lower.replaceAll("%", "%25")];
}

function isBase64(text: string, at: number): boolean {
  const character = text[at];
  if (character === undefined) return false;
  return /[\w+/-]/.test(character) || (character === "%" && /^%(?:25)?2[bf]/i.test(text.slice(at, at + 5)));
}

function placesOf(text: string, form: string): readonly Range[] {
  const places: Range[] = [];
  for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + form.length)) {
    places.push({ start: at, end: at + form.length });
  }
  return places;
}

function merged(ranges: readonly Range[]): readonly Range[] {
  const all: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last === undefined || range.start >= last.end) all.push(range);
    else all[all.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return all;
}
