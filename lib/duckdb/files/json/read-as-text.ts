import type { FileColumn } from "../../../kit/mod.ts";
import { quoteIdentifier } from "../../sql.ts";
import { checkedSelect, type TextColumn } from "../checked-values.ts";
import { formatType, parseType, scalar, type TypeTree } from "../type-tree.ts";

/** The types that the scan can check; other types may be configured. */
const SCANNED =
  /^(VARCHAR|JSON|BOOLEAN|FLOAT|DOUBLE|DECIMAL|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE)$/;

/**
 * The type with which a column is read from the file: text replaces configured types that the scan cannot check, because
 * DuckDB's JSON reader rounds or truncates such values, or does not support the type. `null` if there are none.
 */
export function textTypeOf({ type, isConfigured, format }: FileColumn): string | null {
  if (isConfigured !== true || format !== undefined) return null;
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

/** The columns over a relation in which those of `textTypeOf` are texts; `null` if there are none. */
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
