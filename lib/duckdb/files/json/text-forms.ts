import type { TypeTree } from "../type-tree.ts";

const DAY = String.raw`(?!0000)\d{4}-\d\d-\d\d`;
const MINUTE = String.raw`(?:[01]\d|2[0-3]):[0-5]\d`;
const SECOND = String.raw`${MINUTE}:[0-5]\d`;
/** Digits beyond those that count must be zeros. */
const secondTo = (digits: number) => String.raw`${SECOND}(?:\.(?:\d{1,${digits}}0*))?`;
const timestampTo = (digits: number) =>
  String.raw`${DAY}(?:[ T](?:${MINUTE}|${digits === 0 ? String.raw`${SECOND}(?:\.0+)?` : secondTo(digits)}))?`;
const SPAN = String.raw`-?\d{1,9} (?:year|month|week|day|hour|minute|millisecond|microsecond)s?|-?\d{1,9}(?:\.\d{1,6})? seconds?`;

/** How a string is written of which DuckDB's reader of JSON keeps all, by the types of which it would cut or round some. */
const FORMS: Readonly<Record<string, RegExp>> = {
  TIME: whole(secondTo(6)),
  "TIME WITH TIME ZONE": whole(String.raw`${secondTo(6)}[+-](?:0\d|1[0-5])(?::[0-5]\d){0,2}`),
  TIMESTAMP_S: whole(timestampTo(0)),
  TIMESTAMP_MS: whole(timestampTo(3)),
  INTERVAL: whole(String.raw`(?=.)(?:(?:${SPAN})(?: |$))*(?:-?\d{2,9}:[0-5]\d:[0-5]\d(?:\.\d{1,6})?)?`),
  UUID: whole("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
  BIT: whole("[01]+"),
  BIGNUM: whole("(?:0|-?[1-9][0-9]*)"),
};

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, "i");
}

/** The form of the strings of a type that a person named; null when DuckDB refuses all that it would change. */
export function textForm(type: TypeTree | null): RegExp | null {
  return (type?.kind === "scalar" ? FORMS[type.name] : undefined) ?? null;
}

/** Types that DuckDB does not read from JSON, but makes of a text. */
export const isReadAsText = (type: string): boolean => type === "BIT" || type === "BIGNUM";
