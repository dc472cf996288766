import type { Field, Schema } from "apache-arrow";

import { duckdbTypeOf, quoteIdentifier } from "../duckdb/mod.ts";

/** Why the columns of rows do not fit those of a table, and how to change the SQL. */
export interface ColumnDifferences {
  readonly reason: string;
  readonly advice: string;
}

/**
 * Compares the columns of rows with those of the table that they are written to. Names are equal, in any order, and each
 * type is that of the column or a narrower one of the same kind.
 *
 * @param names the columns of the rows; a name may occur twice
 * @returns null if they fit
 */
export function columnDifferences(
  rows: { readonly schema: Schema; readonly names: readonly string[] },
  target: Schema,
): ColumnDifferences | null {
  const wanted = target.fields.map((field) => String(field.name));
  const twice = rows.names.filter((name, at) => rows.names.indexOf(name) !== at);
  const missing = wanted.filter((name) => !rows.names.includes(name));
  const extra = rows.names.filter((name) => !wanted.includes(name));
  const list = (names: readonly string[]) => [...new Set(names)].map(quoteIdentifier).join(", ");
  const reasons = [
    ...(missing.length === 0 ? [] : [`the rows have no ${list(missing)}`]),
    ...(extra.length === 0 ? [] : [`the table has no ${list(extra)}`]),
    ...(twice.length === 0 ? [] : [`${list(twice)} occurs twice in the rows`]),
  ];
  if (reasons.length > 0)
    return {
      reason: reasons.join("; "),
      advice: `Select exactly the columns of the table: ${list(wanted)}.`,
    };
  const misfits = target.fields.flatMap((field) => {
    const actual = rows.schema.fields[rows.names.indexOf(String(field.name))]!;
    return fits(actual, field)
      ? []
      : [{ name: quoteIdentifier(field.name), actual, type: duckdbTypeOf(field) }];
  });
  if (misfits.length === 0) return null;
  const casts = misfits.map(({ name, type }) => `CAST(${name} AS ${type}) AS ${name}`);
  return {
    reason: misfits
      .map(
        ({ name, actual, type }) => `${name} is ${duckdbTypeOf(actual)} in the rows and ${type} in the table`,
      )
      .join("; "),
    advice: `Cast in the SQL: ${casts.join(", ")}.`,
  };
}

const INTEGER_BITS: Readonly<Record<string, number>> = {
  TINYINT: 8,
  SMALLINT: 16,
  INTEGER: 32,
  BIGINT: 64,
};
const TIMES: readonly string[] = ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS"];

/** Whether each value of a type is one of the other type, written in the same manner. */
function fits(actual: Field, wanted: Field): boolean {
  const [from, to] = [duckdbTypeOf(actual), duckdbTypeOf(wanted)];
  if (from === to) return true;
  const [range, outer] = [rangeOf(from), rangeOf(to)];
  if (range !== null && outer !== null)
    return range.scale <= outer.scale && range.min >= outer.min && range.max <= outer.max;
  // A double represents whole numbers of up to 53 bits.
  if (to === "DOUBLE") return from === "FLOAT" || (range?.scale === 0 && range.max <= 2n ** 53n);
  // Nanoseconds cannot represent all years.
  return TIMES.indexOf(from) >= 0 && TIMES.indexOf(from) < TIMES.indexOf(to) && to !== "TIMESTAMP_NS";
}

/** The whole numbers that an exact type represents, and its digits after the point; null for another type. */
function rangeOf(
  type: string,
): { readonly min: bigint; readonly max: bigint; readonly scale: number } | null {
  const isUnsigned = type.startsWith("U");
  const bits = INTEGER_BITS[isUnsigned ? type.slice(1) : type];
  if (bits !== undefined) {
    const half = 2n ** BigInt(bits - 1);
    return isUnsigned ? { min: 0n, max: half * 2n - 1n, scale: 0 } : { min: -half, max: half - 1n, scale: 0 };
  }
  const [, width, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (width === undefined) return null;
  const max = 10n ** BigInt(Number(width) - Number(scale)) - 1n;
  return { min: -max, max, scale: Number(scale) };
}
