import type { FileColumn } from "../../../kit/mod.ts";
import { parseType, scalar } from "../type-tree.ts";
import { fits } from "./fits.ts";
import { Shape } from "./shape.ts";

/** The shape of rows with known columns; its fields are the keys. */
export function rowShape(columns: readonly FileColumn[]): Shape {
  const root = new Shape({ kind: "struct", fields: [] });
  for (const { name, key = name, type, format, isConfigured } of columns) {
    // The format of a date is checked when it is parsed.
    const expected = format === undefined ? parseType(type) : scalar("FORMATTED");
    root.addKnownField(key, new Shape(expected, isConfigured === true && format === undefined));
  }
  return root;
}

/** Whether all values of the rows fit their columns. */
export function fitsColumns(root: Shape): boolean {
  return root.order.every(({ shape }) => fits(shape, shape.expected!, shape.isConfigured));
}
