import * as arrow from "apache-arrow";

import type { Connection } from "../../connection.ts";
import { escapeGlob, quoteLiteral } from "../../sql.ts";

const UNITS: Readonly<Record<arrow.TimeUnit, string>> = {
  [arrow.TimeUnit.SECOND]: "seconds",
  [arrow.TimeUnit.MILLISECOND]: "milliseconds",
  [arrow.TimeUnit.MICROSECOND]: "microseconds",
  [arrow.TimeUnit.NANOSECOND]: "nanoseconds",
};

/**
 * The columns of a Parquet file that contain durations, each with the unit of its integers. Parquet has no duration type:
 * only the Arrow schema that Arrow's writers add distinguishes durations from integers.
 */
export async function durationsOf(
  connection: Connection,
  path: string,
  options: { readonly signal?: AbortSignal },
): Promise<ReadonlyMap<string, string>> {
  const [row] = await connection.rows<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata([${quoteLiteral(escapeGlob(path))}])
     WHERE key = 'ARROW:schema'::BLOB LIMIT 1`,
    options,
  );
  const fields = row === undefined ? [] : fieldsOf(Buffer.from(row.value, "base64"));
  return new Map(
    fields.flatMap(({ name, type }) => {
      const found = durationsIn(name, type);
      if (found.length === 0) return [];
      const units = found.map(([place, unit]) =>
        place === name ? `duration in ${unit}` : `${place} is a duration in ${unit}`,
      );
      return [[name, units.join("; ")] as const];
    }),
  );
}

/** An invalid schema is ignored, as by DuckDB. */
function fieldsOf(bytes: Uint8Array): readonly arrow.Field[] {
  try {
    return new arrow.MessageReader(bytes).readSchema()?.fields ?? [];
  } catch {
    return [];
  }
}

function durationsIn(
  place: string,
  type: arrow.DataType,
): readonly (readonly [place: string, unit: string])[] {
  if (arrow.DataType.isDuration(type)) return [[place, UNITS[type.unit]]];
  if (arrow.DataType.isStruct(type)) {
    return type.children.flatMap(({ name, type: field }) => durationsIn(`${place}.${name}`, field));
  }
  const [child] = (type.children ?? []) as readonly arrow.Field[];
  if (child === undefined) return [];
  // The entries of a map are structs of a key and a value.
  return durationsIn(arrow.DataType.isMap(type) ? place : `${place}[]`, child.type);
}
