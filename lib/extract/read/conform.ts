import type { Schema } from "apache-arrow";

import type { PublishedColumn } from "../format/extract-state.ts";
import { isLossless } from "../schema/widen.ts";

/**
 * Every way in which a batch's columns differ from those declared, in words; none when the batch is fine.
 *
 * Any order is fine, a nullable column may be missing, and a type may be one whose every value fits.
 */
export function differences(
  present: readonly PublishedColumn[],
  expected: readonly PublishedColumn[],
  known: readonly PublishedColumn[],
): readonly string[] {
  const found: string[] = [];
  const has = new Map(present.map((column) => [column.name, column.type]));
  for (const { name, type, nullable } of expected) {
    const given = has.get(name);
    if (given === undefined) {
      if (!nullable) found.push(`column ${name} ${type} is missing`);
    } else if (!isLossless(given, type)) {
      found.push(`column ${name} is ${given} but was declared ${type}`);
    }
  }
  const declared = new Set(known.map((column) => column.name));
  for (const { name, type } of present) {
    if (!declared.has(name)) found.push(`column ${name} ${type} was not declared`);
  }
  if (has.size !== present.length) found.push("two columns have the same name");
  return found;
}

/** Tells whether two Arrow schemas lay batches out in the same way; cheap when they are one object. */
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
