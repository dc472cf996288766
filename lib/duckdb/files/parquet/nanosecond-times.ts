import { isDeepStrictEqual } from "node:util";

import { AgnesError } from "../../../base/mod.ts";
import type { Connection } from "../../connection.ts";
import { withParquet } from "../../parquet-footer.ts";
import { quoteIdentifier, quoteLiteral } from "../../sql.ts";
import { originOf } from "../columns.ts";
import type { HostFile } from "../open-bytes.ts";
import { formatType, parseType, scalar, type TypeTree } from "../type-tree.ts";
import { parquetRelation } from "./relation.ts";
import { copyWithTimestamps, isNanosecondTime, topLevel, type CopyOptions } from "./timestamp-copy.ts";

const DAY_NANOSECONDS = 86_400_000_000_000n;

/**
 * Finds the columns of a Parquet file that contain times with nanoseconds, which DuckDB truncates to microseconds. DuckDB
 * reads times of whole microseconds itself.
 *
 * @param columns the columns as DuckDB reads them, in order
 * @throws `file_unreadable` for times with nanoseconds in UTC or outside a day
 */
export async function nanosecondTimes(
  connection: Connection,
  file: HostFile,
  columns: readonly { readonly name: string; readonly type: TypeTree }[],
  options: CopyOptions,
): Promise<ReadonlyMap<number, TypeTree>> {
  const places = await withParquet(file.files, file.path, async ({ schema }) =>
    topLevel(schema).flatMap(({ elements }, place) =>
      elements.some((at) => isNanosecondTime(schema[at]!)) ? [place] : [],
    ),
  );
  await using copy = await copyWithTimestamps(file, new Set(places), { ...options, isSparse: true });
  const statement = statementOf(options.signal);
  const names = places.map((place) => columns[place]!.name);
  const read = await copyTypes(connection, copy.path, names, statement);
  const conditions = places.flatMap((place) => {
    const { name, type } = columns[place]!;
    const of = (isMatch: LeafCondition) => {
      const leaves = anyLeaf(quoteIdentifier(name), { from: type, to: read.get(name)! }, isMatch);
      return leaves === null ? "false" : `coalesce(bool_or(${leaves}), false)`;
    };
    return [of(isOdd), of((leaf, from) => (isZoned(from) ? isOdd(leaf, from) : null)), of(isBeyond)];
  });
  const [row] = await connection.rows<Record<string, boolean>>(
    `SELECT ${conditions.map((one, at) => `${one} AS c${at}`).join(", ")} FROM ${parquetRelation(copy.path)}`,
    statement,
  );
  const found = new Map<number, TypeTree>();
  for (const [at, place] of places.entries()) {
    const { name, type } = columns[place]!;
    const [isCut, isZonedCut, isOutside] = [0, 1, 2].map((one) => row![`c${3 * at + one}`] === true);
    if (isCut !== true) continue;
    if (isZonedCut === true) throw refusal(file, name, "times in UTC with nanoseconds");
    if (isOutside === true) throw refusal(file, name, "times outside a day with nanoseconds");
    found.set(place, withTexts(type, read.get(name)!));
  }
  return found;
}

/**
 * The SQL that reads a file with its times with nanoseconds as text.
 *
 * @param path the path of a copy that has timestamps instead of these times
 * @param types the types of the columns with such times, by name
 */
export async function relationWithTexts(
  connection: Connection,
  path: string,
  types: ReadonlyMap<string, TypeTree>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const read = await copyTypes(connection, path, [...types.keys()], statementOf(signal));
  const texts = [...types].map(([name, type]) => {
    const column = quoteIdentifier(name);
    // This cast, separate from the one to text, converts a timestamp to a time of day.
    const times = formatType(withTimes(type, read.get(name)!));
    return `CAST(CAST(${column} AS ${times}) AS ${formatType(type)}) AS ${column}`;
  });
  return `(SELECT * REPLACE (${texts.join(", ")}) FROM ${parquetRelation(path)})`;
}

function refusal(file: HostFile, name: string, what: string): AgnesError {
  const reason = `its column ${JSON.stringify(name)} contains ${what}, which DuckDB cannot read; write them as text`;
  return new AgnesError("file_unreadable", { path: originOf(file), reason });
}

const statementOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });

async function copyTypes(
  connection: Connection,
  path: string,
  names: readonly string[],
  statement: { readonly signal?: AbortSignal },
): Promise<ReadonlyMap<string, TypeTree>> {
  const list = names.map(quoteIdentifier).join(", ");
  const rows = await connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT ${list} FROM ${parquetRelation(path)}`,
    statement,
  );
  return new Map(rows.map((row) => [row.column_name, parseType(row.column_type)]));
}

/** A type in the file, and in a copy in which times with nanoseconds are timestamps. */
interface TwoTypes {
  readonly from: TypeTree;
  readonly to: TypeTree;
}

type LeafCondition = (leaf: string, from: TypeTree) => string | null;

const isOdd: LeafCondition = (leaf) => `coalesce(epoch_ns(${leaf}) % 1000 <> 0, false)`;
const isBeyond: LeafCondition = (leaf) =>
  `coalesce(epoch_ns(${leaf}) NOT BETWEEN 0 AND ${DAY_NANOSECONDS - 1n}, false)`;
const isZoned = (type: TypeTree) => formatType(type) === "TIME WITH TIME ZONE";

/** The SQL condition that a value contains such a time; `null` if its type has none. */
function anyLeaf(value: string, { from, to }: TwoTypes, isMatch: LeafCondition, depth = 0): string | null {
  if (isDeepStrictEqual(from, to)) return null;
  const inList = (list: string, element: TwoTypes): string | null => {
    const item = `agnes_${depth}`;
    const matches = anyLeaf(item, element, isMatch, depth + 1);
    return matches === null
      ? null
      : `coalesce(len(list_filter(${list}, lambda ${item}: ${matches})) > 0, false)`;
  };
  const either = (conditions: readonly (string | null)[]) => {
    const present = conditions.filter((one) => one !== null);
    return present.length === 0 ? null : `(${present.join(" OR ")})`;
  };
  if (from.kind === "list" && to.kind === "list") {
    return inList(value, { from: from.element, to: to.element });
  }
  if (from.kind === "map" && to.kind === "map") {
    return either([
      inList(`map_keys(${value})`, { from: from.key, to: to.key }),
      inList(`map_values(${value})`, { from: from.value, to: to.value }),
    ]);
  }
  if (from.kind === "struct" && to.kind === "struct") {
    const fields = from.fields.map(([name, type], at) =>
      anyLeaf(
        `struct_extract(${value}, ${quoteLiteral(name)})`,
        { from: type, to: to.fields[at]![1] },
        isMatch,
        depth,
      ),
    );
    return either(fields);
  }
  return isMatch(value, from);
}

/** The type of a column of the file, with text for the timestamps of the copy. */
function withTexts(from: TypeTree, to: TypeTree): TypeTree {
  return replaced(from, to, "VARCHAR");
}

/** The type of a column of the copy, with times for the scalars that become text. */
function withTimes(type: TypeTree, copy: TypeTree): TypeTree {
  return replaced(copy, type, "TIME_NS");
}

/** Replaces the scalars of a type that differ in another type with a named type. */
function replaced(one: TypeTree, other: TypeTree, name: string): TypeTree {
  if (isDeepStrictEqual(one, other)) return one;
  if (one.kind === "list" && other.kind === "list") {
    return { ...one, element: replaced(one.element, other.element, name) };
  }
  if (one.kind === "map" && other.kind === "map") {
    const key = replaced(one.key, other.key, name);
    return { kind: "map", key, value: replaced(one.value, other.value, name) };
  }
  if (one.kind === "struct" && other.kind === "struct") {
    const fields = one.fields.map(
      ([field, type], at) => [field, replaced(type, other.fields[at]![1], name)] as const,
    );
    return { kind: "struct", fields };
  }
  return scalar(name);
}
