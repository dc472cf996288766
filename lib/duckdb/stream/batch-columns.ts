import type * as arrow from "apache-arrow";

import { AgnesError, counted } from "../../base/mod.ts";
import { typeText } from "../arrow/types.ts";

/** The data of the requested columns of a batch, in the requested order. */
export interface BatchColumns {
  readonly rows: number;
  readonly data: readonly arrow.Data[];
}

/**
 * Returns a function that selects the requested columns of a batch by name. It throws `batch_malformed` if one is missing,
 * too short, or of another type than in the schema.
 */
export function checkColumns(
  schema: arrow.Schema,
  columns: readonly string[],
): (batch: arrow.RecordBatch) => BatchColumns {
  const wanted = columns.map((name) => schema.fields.find((field) => field.name === name)!);
  let known: { readonly schema: arrow.Schema; readonly indexes: readonly number[] } | null = null;
  return (batch) => {
    if (known?.schema !== batch.schema) {
      known = { schema: batch.schema, indexes: wanted.map((field) => indexOf(field, batch.schema)) };
    }
    const rows = batch.numRows;
    const data = known.indexes.map((child, index) => {
      const column = batch.data.children[child] as arrow.Data | undefined;
      if (column !== undefined && column.length >= rows) return column;
      const reason = `the batch has ${counted(rows, "row")}, the column ${column?.length ?? 0}`;
      throw new AgnesError("batch_malformed", { column: wanted[index]!.name, reason });
    });
    return { rows, data };
  };
}

function indexOf(field: arrow.Field, schema: arrow.Schema): number {
  const index = schema.fields.findIndex((candidate) => candidate.name === field.name);
  const found = schema.fields[index];
  if (found === undefined) {
    throw new AgnesError("batch_malformed", { column: field.name, reason: "the batch does not contain it" });
  }
  if (!sameLayout(field.type as arrow.DataType, found.type as arrow.DataType)) {
    const reason = `its type is ${typeText(found.type as arrow.DataType)}, but ${typeText(field.type as arrow.DataType)} was declared`;
    throw new AgnesError("batch_malformed", { column: field.name, reason });
  }
  return index;
}

/** Returns whether two types have the same memory layout and meaning. Nested names and nullability may differ. */
function sameLayout(a: arrow.DataType, b: arrow.DataType): boolean {
  if (a === b) return true;
  if (a.typeId !== b.typeId) return false;
  for (const key of PARAMETERS) {
    if ((a as unknown as Parameters)[key] !== (b as unknown as Parameters)[key]) return false;
  }
  if (Boolean((a as arrow.Timestamp).timezone) !== Boolean((b as arrow.Timestamp).timezone)) return false;
  const inner = (type: arrow.DataType) => [
    ...(type.children ?? []).map((field) => field.type as arrow.DataType),
    ...("dictionary" in type ? [type.dictionary as arrow.DataType, (type as arrow.Dictionary).indices] : []),
  ];
  const [left, right] = [inner(a), inner(b)];
  return left.length === right.length && left.every((type, index) => sameLayout(type, right[index]!));
}

const PARAMETERS = [
  "bitWidth",
  "isSigned",
  "precision",
  "scale",
  "unit",
  "byteWidth",
  "listSize",
  "mode",
] as const;
type Parameters = Partial<Record<(typeof PARAMETERS)[number], unknown>>;
