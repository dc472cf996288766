import { AgnesError, nearest } from "../base/mod.ts";
import type { Catalog, CatalogView, Commit, Edit } from "../catalog/mod.ts";
import { readHistory } from "./history.ts";
import { allTables, registered, type RegistryRow } from "./stored.ts";

/** The state a change is decided on. */
export type View = CatalogView<RegistryRow>;

/** Leaves a transaction whose caller knows an older state; what changed since is looked up outside of it. */
export class Stale extends Error {
  readonly id: string | undefined;
  readonly expected: number;
  readonly current: number;

  constructor(id: string | undefined, expected: number, current: number) {
    super("stale");
    this.id = id;
    this.expected = expected;
    this.current = current;
  }
}

/** Leaves a transaction whose table is not registered. */
export class Absent extends Error {
  readonly id: string;

  constructor(id: string) {
    super("absent");
    this.id = id;
  }
}

/**
 * Decides on the present state and writes what was decided, on a dry run nothing.
 * @throws `table_version_stale`, `table_not_registered`, and what `decide` throws
 */
export async function transact(
  catalog: Catalog<RegistryRow>,
  options: { readonly dryRun?: boolean; readonly actor: string },
  decide: (view: View) => Promise<readonly Edit<RegistryRow>[]>,
): Promise<Commit<RegistryRow>> {
  try {
    return await catalog.transact(
      async (view) => {
        const edits = await decide(view);
        return options.dryRun === true ? [] : edits;
      },
      { actor: options.actor },
    );
  } catch (error) {
    if (error instanceof Stale) throw await staleVersion(catalog, error);
    if (error instanceof Absent) throw await notRegistered(catalog, error.id);
    throw error;
  }
}

/** The error for a table that is not registered, with the nearest one that is. */
export async function notRegistered(catalog: Catalog<RegistryRow>, reference: string): Promise<AgnesError> {
  const tables = (await catalog.query({}, allTables)).map(registered);
  const known = tables.flatMap((table) => [table.id, table.view_name]);
  const near = nearest(reference.slice(0, 200), known);
  return new AgnesError("table_not_registered", {
    id: reference,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

/** The error for a caller who knows an older state, with everything that changed since. */
async function staleVersion(
  catalog: Catalog<RegistryRow>,
  { id, expected, current }: Stale,
): Promise<AgnesError> {
  const since = { ...(id === undefined ? {} : { id }), from: Math.max(1, expected + 1) };
  const changes = expected >= current ? [] : await readHistory(catalog, since);
  return new AgnesError("table_version_stale", {
    what: id === undefined ? "the registry" : `the table ${id}`,
    expected,
    current,
    changes: changes.map(({ version, actor, action, id: of, changed }) => ({
      version,
      actor,
      action,
      id: of,
      fields: changed,
    })),
  });
}
