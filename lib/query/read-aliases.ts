import { readPositions } from "./live/read-positions.ts";
import type { Node } from "./live/tree.ts";
import type { IsRead } from "./hybrid/mod.ts";
import type { GuardedQuery } from "./guard.ts";

/** Returns which aliases a statement reads. The others occur in a DESCRIBE, or in common table expressions without use. */
export function readAliases({
  tree,
  tables,
  pivots,
}: Pick<GuardedQuery, "tree" | "tables" | "pivots">): IsRead {
  // The columns of a PIVOT are values of its rows, and are read by statements of their own.
  if (pivots.length > 0) return () => true;
  const root = (tree as { readonly statements: readonly [{ readonly node: Node }] }).statements[0].node;
  const positions = readPositions(root);
  return (alias) =>
    tables.some(
      ({ name, position }) =>
        name.toLowerCase() === alias.toLowerCase() && (position === null || positions.has(position)),
    );
}
