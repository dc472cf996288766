import { tableId } from "../model.ts";

/** The view name of a table in the registry. */
export interface NameOwner {
  readonly source: string;
  readonly name: string;
  readonly viewName: string;
}

/** A table that did not get its view name. */
export interface NameConflict {
  readonly viewName: string;
  /** The table that has the name, as `source.name`. */
  readonly owner: string;
  /** The table without the name. It can be queried by this qualified name. */
  readonly loser: string;
  readonly reason: string;
  /** Whether the loser is in the registry, so its view name can be changed there. */
  readonly isLoserRegistered: boolean;
}

/** The assignment of names in schema `main`. */
export interface NamePlan {
  /** View name by table id. Other tables have only their qualified name. */
  readonly viewNames: ReadonlyMap<string, string>;
  readonly conflicts: readonly NameConflict[];
}

interface Wish {
  readonly id: string;
  readonly viewName: string;
  readonly registered: boolean;
  /** Whether the table had this name before. */
  readonly holds: boolean;
  readonly present: boolean;
}

/**
 * Assigns names. A name in the registry belongs to its owner, even if that table cannot be read. Another name stays
 * with the table that had it before; a new name goes to the first table by source and name. Conflicts are reported.
 * Names are case-insensitive.
 *
 * @param present published tables, and those of unreadable extracts, which keep their names
 * @param owners the names in the registry; null without a registry
 * @param holders the id of the table that had a name before, by lower-case name
 */
export function planNames(
  present: readonly { readonly source: string; readonly name: string }[],
  owners: readonly NameOwner[] | null,
  holders: ReadonlyMap<string, string> = new Map(),
): NamePlan {
  const presentIds = new Set(present.map((table) => tableId(table).toLowerCase()));
  const owned = new Map((owners ?? []).map((owner) => [tableId(owner).toLowerCase(), owner]));
  const wishes: Wish[] = [
    ...present.map((table): Wish => {
      const id = tableId(table);
      const owner = owned.get(id.toLowerCase());
      const viewName = owner?.viewName ?? table.name;
      return {
        id,
        viewName,
        registered: owner !== undefined,
        holds: holders.get(viewName.toLowerCase())?.toLowerCase() === id.toLowerCase(),
        present: true,
      };
    }),
    ...(owners ?? [])
      .filter((owner) => !presentIds.has(tableId(owner).toLowerCase()))
      .map((owner): Wish => ({
        id: tableId(owner),
        viewName: owner.viewName,
        registered: true,
        holds: false,
        present: false,
      })),
  ].sort(
    (a, b) =>
      Number(b.registered) - Number(a.registered) ||
      Number(b.holds) - Number(a.holds) ||
      (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
  return award(wishes);
}

function award(wishes: readonly Wish[]): NamePlan {
  const winners = new Map<string, Wish>();
  const viewNames = new Map<string, string>();
  const conflicts: NameConflict[] = [];
  for (const wish of wishes) {
    const folded = wish.viewName.toLowerCase();
    const winner = winners.get(folded);
    if (winner === undefined) {
      winners.set(folded, wish);
      if (wish.present) viewNames.set(wish.id, wish.viewName);
    } else if (wish.present) {
      conflicts.push({
        viewName: wish.viewName,
        owner: winner.id,
        loser: wish.id,
        reason: reasonOf(winner, wish),
        isLoserRegistered: wish.registered,
      });
    }
  }
  return { viewNames, conflicts };
}

function reasonOf(winner: Wish, loser: Wish): string {
  if (winner.registered && loser.registered) return "the registry has this name twice; the first id gets it";
  if (winner.registered) return "the registry assigns this name to another table";
  return winner.holds
    ? "the table that published the name first keeps it"
    : "both are new and not in the registry; the first id gets it";
}
