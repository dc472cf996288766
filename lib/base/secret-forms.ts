/** A part of a text. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Where a text holds a secret, in order and without overlaps: as it is, escaped for JSON, SQL, HTML, connection strings
 * or addresses as a whole or in part, in hexadecimal digits, or in base64, also of several lines, with whatever stands
 * around it. Redaction and refusal both ask this.
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

/** What is looked for of one secret; patterns are made when a text first needs them. */
interface SecretForms {
  readonly hexadecimal: string;
  /** The characters of base64 in all alphabets and escapes. */
  readonly base64: readonly Base64Spelling[];
  readonly escapedPattern: () => RegExp;
  readonly hexadecimalPattern: () => RegExp;
}

interface Base64Spelling {
  readonly text: string;
  readonly wrappedPattern: () => RegExp;
}

/** Making the patterns takes longer than looking for them, and the same few secrets are looked for in every text. */
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

/** The forms of a secret that begin it, for texts that were cut off. */
export function secretSpellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const hexadecimal = bytes.toString("hex");
  const base64 = base64Inside(bytes).flatMap((inner) => [inner, forAddress(inner)]);
  return [...plainSpellings(secret), hexadecimal, hexadecimal.toUpperCase(), ...base64];
}

function plainSpellings(secret: string): readonly string[] {
  // A lone surrogate cannot be written in an address.
  const inAddress = /\p{Cs}/u.test(secret) ? secret : encodeURIComponent(secret);
  const inHtml = secret.replace(/[&<>"']/g, (character) => `&${HTML_NAMES[character]};`);
  const json = JSON.stringify(secret).slice(1, -1);
  const inSql = secret.replaceAll("'", "''");
  return [...new Set([secret, inAddress, json, inSql, secret.replace(/[\\']/g, "\\$&"), inHtml])];
}

/** The pattern of a longer one would be too large; it is looked for in its usual spellings. */
const PATTERN_LENGTH_MAX = 2_000;

function escapedIn(text: string, secret: string, forms: SecretForms): readonly Range[] {
  if (!/[%\\+&]|''|""/.test(text)) return placesOf(text, secret);
  if (secret.length > PATTERN_LENGTH_MAX) {
    return plainSpellings(secret).flatMap((spelling) => placesOf(text, spelling));
  }
  return matchesOf(text, forms.escapedPattern());
}

/** The digits of bytes, also with something between the bytes, such as in a dump. */
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

/** The ways to write a character in a text, in JSON, SQL, HTML and an address, also encoded several times. */
function escapedCharacter(character: string): string {
  const units = [...Array(character.length).keys()].map((at) => character.charCodeAt(at));
  const point = character.codePointAt(0)!;
  const literal = `\\u{${point.toString(16)}}`;
  const bytes = [...Buffer.from(character)].map(twoDigits);
  // Latin-1, of which the letters of ASCII are the same as in UTF-8.
  const bytesOfAll = point >= 0x80 && point <= 0xff ? [bytes, [twoDigits(point)]] : [bytes];
  const ways = [
    units.map((unit) => String.raw`\\{1,2}u${anyCase(unit.toString(16).padStart(4, "0"))}`).join(""),
    ...bytesOfAll.flatMap((all) => [
      all.map((byte) => `%(?:25){0,4}${byte}`).join(""),
      all.map((byte) => String.raw`\\{1,3}x${byte}`).join(""),
    ]),
    `&(?:amp;)?#(?:0*${point}|[xX]0*${anyCase(point.toString(16))});`,
    literal,
  ];
  const named = HTML_NAMES[character];
  if (named !== undefined) ways.unshift(`&(?:amp;)?(?:${character === "'" ? "apos" : named});`);
  if (character === "'" || character === '"') ways.unshift(`${literal}{2}`);
  // A connection string may have a backslash before any sign.
  if (/[!-.:-@[\]-`{-~ ]/.test(character)) ways.unshift(String.raw`\\{1,3}${literal}`);
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) ways.unshift(String.raw`\\{1,3}${short}`);
  if (character === " ") ways.push(String.raw`\+`);
  return `(?:${ways.join("|")})`;
}

const HTML_NAMES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "#39",
};

/** As they stand in a pattern behind the backslash. */
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

/** So few characters of base64 may be in ordinary text by chance. */
const BASE64_LENGTH_MIN = 6;

/**
 * The characters that base64 has for bytes wherever they stand in what is encoded. At each of the three places in a
 * group some bits of the first and last character belong to the neighbours, so those are left out.
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

/** With what stands before and after it in the same base64: the user and the password of a Basic header. */
function base64In(text: string, spelling: Base64Spelling): readonly Range[] {
  return [...placesOf(text, spelling.text), ...wrappedIn(text, spelling)].map((place) => {
    let { start, end } = place;
    while (start > 0 && isBase64(text, start - 1)) start -= 1;
    while (isBase64(text, end)) end += 1;
    end += /^(?:=|%(?:25)?3d)*/i.exec(text.slice(end, end + 12))![0].length;
    return { start, end };
  });
}

/** What MIME and PEM break into lines, also where the breaks are escaped. */
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

function placesOf(text: string, wanted: string): readonly Range[] {
  const places: Range[] = [];
  for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) {
    places.push({ start: at, end: at + wanted.length });
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
