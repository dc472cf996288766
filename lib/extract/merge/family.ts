import type { Row } from "../../kit/mod.ts";

/** Identifies the parents that have the same columns, in any order. */
export interface FamilyName {
  readonly columns: readonly string[];
  readonly name: string;
}

/** Returns the family of a replaced parent. */
export function familyOf({ parent }: { readonly parent: Row }): FamilyName {
  const columns = Object.keys(parent).sort();
  return { columns, name: JSON.stringify(columns) };
}
