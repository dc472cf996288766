import { tableId } from "../model.ts";

/** What the table registry says: this table is called `viewName` in SQL. */
export interface NameOwner {
  readonly source: string;
  readonly name: string;
  readonly viewName: string;
}

/** A table that did not get the name it asked for. */
export interface NameConflict {
  readonly viewName: string;
  /** The table that has the name, as `source.name`. */
  readonly owner: string;
  /** The table that does not, still reachable under this, its qualified name. */
  readonly loser: string;
  readonly reason: string;
  /** Whether the loser is in the registry, so that it can be given another name there. */
  readonly isLoserRegistered: boolean;
}

/** Who is called what in schema `main`. */
export interface NamePlan {
  /** View name by table id; a table that is not in it has only its qualified name. */
  readonly viewNames: ReadonlyMap<string, string>;
  readonly conflicts: readonly NameConflict[];
}

interface Wish {
  readonly id: string;
  readonly viewName: string;
  readonly registered: boolean;
  /** Whether the table has had this name. */
  readonly holds: boolean;
  readonly present: boolean;
}

/**
 * Decides names: the registry's owner has a name, whether its table can be read now or not. A name that the registry
 * does not give stays with the table that has had it; one that is new goes to the first table by source and name.
 * The others are reported. Case does not tell names apart.
 *
 * @param present tables that are published, and those of unreadable extracts, which keep their names
 * @param owners what the registry says; null when there is none
 * @param holders the id of the table that has had a name until now, by lower-case name
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
  if (winner.registered && loser.registered) return "the registry gives this name twice; the first id has it";
  if (winner.registered) return "the registry gives this name to another table";
  return winner.holds
    ? "the table that published the name first keeps it"
    : "both are new and the registry does not decide; the first id has it";
}
