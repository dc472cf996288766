import type { Schema } from "apache-arrow";

import type { PublishedColumn } from "../format/extract-state.ts";
import { isLossless } from "../schema/widen.ts";

/**
 * Describes all differences between the columns of a batch and the declared columns; empty if they match.
 *
 * Columns may be in any order, nullable columns may be missing, and a type may be any type that converts without loss.
 */
export function differences(
  present: readonly PublishedColumn[],
  expected: readonly PublishedColumn[],
  known: readonly PublishedColumn[],
): readonly string[] {
  const found: string[] = [];
  const has = new Map(present.map((column) => [column.name, column.type]));
  for (const { name, type, nullable } of expected) {
    const actual = has.get(name);
    if (actual === undefined) {
      if (!nullable) found.push(`column ${name} ${type} is missing`);
    } else if (!isLossless(actual, type)) {
      found.push(`column ${name} is ${actual} but was declared ${type}`);
    }
  }
  const declared = new Set(known.map((column) => column.name));
  for (const { name, type } of present) {
    if (!declared.has(name)) found.push(`column ${name} ${type} was not declared`);
  }
  if (has.size !== present.length) found.push("two columns have the same name");
  return found;
}

/** Whether two Arrow schemas have the same names and types in the same order. Cheap if they are the same object. */
export function samePhysical(a: Schema, b: Schema): boolean {
  if (a === b) return true;
  return (
    a.fields.length === b.fields.length &&
    a.fields.every((field, at) => {
      const other = b.fields[at];
      return other !== undefined && field.name === other.name && String(field.type) === String(other.type);
    })
  );
}
