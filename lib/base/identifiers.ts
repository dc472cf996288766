import { createHash } from "node:crypto";

import { counted } from "./counted.ts";
import { AgnesError } from "./errors/mod.ts";

const EXPOSED = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;
const VENDOR = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
const ENVIRONMENT = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * Checks a name that Agnes exposes: a source, a view, an alias, an extension.
 *
 * Letters, digits and underscores, not starting with a digit, at most 64.
 * @param what the kind of name, for the message
 * @returns the name
 * @throws `invalid_identifier`
 * @example
 * ```ts
 * import { checkExposedName } from "agnes/kit";
 * checkExposedName("the alias", "crm_2"); // "crm_2"
 * ```
 */
export function checkExposedName(what: string, value: string): string {
  return check(
    what,
    value,
    EXPOSED,
    "letters, digits and underscores, not starting with a digit, at most 64 characters",
  );
}

/**
 * Checks a vendor's name of a bucket, a dataset or a table. Dots and dashes are allowed, at most 128.
 *
 * Check every name that becomes part of a path or a URL.
 * @param what the kind of name, for the message
 * @returns the name
 * @throws `invalid_identifier`
 * @example
 * ```ts
 * import { checkVendorName } from "agnes/kit";
 * const bucket = checkVendorName("the bucket", "in.c-crm");
 * ```
 */
export function checkVendorName(what: string, value: string): string {
  return check(what, value, VENDOR, "letters, digits, underscores, dots and dashes, at most 128 characters");
}

/**
 * Checks the name of an environment variable that holds a secret.
 * @throws `invalid_identifier`
 */
export function checkEnvironmentName(what: string, value: string): string {
  // If a user configures the secret itself instead of its variable, the error must not show it.
  if (ENVIRONMENT.test(value)) return value;
  return check(
    what,
    `(${counted(value.length, "character")}, not shown)`,
    ENVIRONMENT,
    "the NAME of a variable that contains the secret: capital letters, digits and underscores, starting with a letter",
  );
}

/** Whether `value` is a valid exposed name; see `checkExposedName`. */
export function isExposedName(value: string): boolean {
  return EXPOSED.test(value);
}

/**
 * Checks the name of a source: an exposed name that is not a reserved SQL schema.
 * @throws `invalid_identifier`
 */
export function checkSourceName(what: string, value: string): string {
  checkExposedName(what, value);
  if (!isReservedSchema(value) && !value.startsWith("_")) return value;
  throw new AgnesError("invalid_identifier", {
    what,
    value,
    rule: "schemas of DuckDB and names that start with an underscore are reserved",
  });
}

/** Whether a schema name has another meaning in SQL, so that `<source>.<table>` would be ambiguous. */
export function isReservedSchema(name: string): boolean {
  return RESERVED_SCHEMAS.has(name.toLowerCase());
}

const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  "_agnes",
  "analytics",
  "information_schema",
  "main",
  "memory",
  "pg_catalog",
  "recurring",
  "system",
  "temp",
]);

/**
 * Converts a vendor's name to an exposed name: lower case, letters without accents, all other characters replaced by
 * underscores. A name with letters or digits of other scripts ends in a hash, so that different names stay different.
 *
 * A name without a letter or digit becomes `table`; names that differ only in other characters become equal.
 * @example
 * ```ts
 * import { toExposedName } from "agnes/kit";
 * toExposedName("in.c-crm.Orders 2024"); // "in_c_crm_orders_2024"
 * toExposedName("заказы"); // "table_c35920"
 * ```
 */
export function toExposedName(value: string): string {
  const folded = value
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}+/gu, "")
    .replace(UNDECOMPOSED, (letter) => FOLDED[letter]!);
  const name = folded.replace(/[^a-z0-9_]+/g, "_").replace(/^_+|_+$/g, "");
  const started = /^[0-9]/.test(name) ? `t_${name}` : name || "table";
  if (!/(?![a-z0-9])[\p{L}\p{N}]/u.test(folded)) return started.slice(0, NAME_LENGTH_MAX);
  // Includes combining marks, which distinguish か from が.
  const written = value.normalize("NFC").toLowerCase();
  const hash = createHash("sha256").update(written).digest("hex").slice(0, HASH_LENGTH);
  return `${started.slice(0, NAME_LENGTH_MAX - HASH_LENGTH - 1)}_${hash}`;
}

const NAME_LENGTH_MAX = 64;
const HASH_LENGTH = 6;

/** Letters that Unicode does not decompose into an ASCII letter and an accent. */
const FOLDED: Readonly<Record<string, string>> = {
  ŋ: "n",
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  þ: "th",
  ł: "l",
  ħ: "h",
  ı: "i",
  ŧ: "t",
};
const UNDECOMPOSED = new RegExp(`[${Object.keys(FOLDED).join("")}]`, "g");

function check(what: string, value: string, pattern: RegExp, rule: string): string {
  if (!pattern.test(value)) throw new AgnesError("invalid_identifier", { what, value, rule });
  return value;
}
