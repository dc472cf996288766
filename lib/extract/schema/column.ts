import type { Field, Schema } from "apache-arrow";

import { duckdbTypeOf, storedType } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";

/** Returns the columns of an Arrow schema, or only those in `only`, in the order of the schema. */
export function columnsOf(schema: Schema, only?: readonly string[]): readonly PublishedColumn[] {
  const wanted = only === undefined ? null : new Set(only);
  return schema.fields.filter((field) => wanted?.has(String(field.name)) ?? true).map(columnOf);
}

/** Returns the columns of an Arrow batch with their DuckDB types. */
export function physicalColumnsOf(schema: Schema): readonly Pick<PublishedColumn, "name" | "type">[] {
  return schema.fields.map((field) => ({ name: String(field.name), type: duckdbTypeOf(field) }));
}

function columnOf(field: Field): PublishedColumn {
  const description = field.metadata.get("description");
  return {
    name: String(field.name),
    type: storedType(duckdbTypeOf(field)),
    nullable: field.nullable,
    ...(description === undefined ? {} : { description }),
  };
}
