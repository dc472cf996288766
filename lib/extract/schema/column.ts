import type { Field, Schema } from "apache-arrow";

import { duckdbTypeOf, storedType } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";

/** The columns of an Arrow schema, optionally only those named, in the order of the schema. */
export function columnsOf(schema: Schema, only?: readonly string[]): readonly PublishedColumn[] {
  const wanted = only === undefined ? null : new Set(only);
  return schema.fields.filter((field) => wanted?.has(String(field.name)) ?? true).map(columnOf);
}

/** The columns of an Arrow batch as DuckDB sees them. */
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
