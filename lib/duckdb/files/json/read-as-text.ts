import type { FileColumn } from "../../../kit/mod.ts";
import { quoteIdentifier } from "../../sql.ts";
import { checkedSelect, type TextColumn } from "../checked-values.ts";
import { formatType, parseType, scalar, type TypeTree } from "../type-tree.ts";

/** The types whose values the scan compares with what DuckDB reads; a person may name others. */
const SCANNED =
  /^(VARCHAR|JSON|BOOLEAN|FLOAT|DOUBLE|DECIMAL|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE)$/;

/**
 * The type by which a column is read from the file: with text in place of the types that a person named and the scan does
 * not know, since DuckDB's reader of JSON rounds and cuts such values, or has no such type. `null`: none of these.
 */
export function textTypeOf({ type, given, format }: FileColumn): string | null {
  if (given !== true || format !== undefined) return null;
  const tree = parseType(type);
  const text = formatType(withTexts(tree));
  return text === formatType(tree) ? null : text;
}

function withTexts(type: TypeTree): TypeTree {
  switch (type.kind) {
    case "struct":
      return { ...type, fields: type.fields.map(([name, field]) => [name, withTexts(field)]) };
    case "list":
      return { ...type, element: withTexts(type.element), length: null };
    case "map":
      return { ...type, value: withTexts(type.value) };
    case "scalar":
      return SCANNED.test(type.name) ? type : scalar("VARCHAR");
  }
}

/** The columns over a relation in which those of `textTypeOf` are texts; `null` when none is. */
export function readAsText(columns: readonly FileColumn[]): readonly TextColumn[] | null {
  const read = columns.map((column): TextColumn => {
    const text = quoteIdentifier(column.name);
    const type = textTypeOf(column);
    if (type === null) return { column, text, isValue: true };
    return type === "VARCHAR" ? { column, text } : { column, text, nested: type };
  });
  return read.every(({ isValue }) => isValue === true) ? null : read;
}

/** The SELECT of the rows of such a relation. */
export function selectRows(relation: string, columns: readonly FileColumn[]): string {
  const texts = readAsText(columns);
  return texts === null ? `SELECT * FROM ${relation}` : checkedSelect(relation, texts);
}
