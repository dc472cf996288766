import { AgnesError, nearest } from "../base/mod.ts";
import type { Catalog, CatalogView, Commit, Edit } from "../catalog/mod.ts";
import { readHistory } from "./history.ts";
import { storedName } from "./record/mod.ts";
import { allTables, registered, type RegistryRow } from "./stored.ts";

/** The state on which a change is based. */
export type View = CatalogView<RegistryRow>;

/** Ends a transaction whose caller expects an older version. The changes since are read after it. */
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

/** Ends a transaction whose table is not registered. */
export class Absent extends Error {
  readonly id: string;

  constructor(id: string) {
    super("absent");
    this.id = id;
  }
}

/**
 * Decides on the current state and writes the edits. A dry run writes nothing.
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

/** The error for a table that is not registered, with the nearest registered name. */
export async function notRegistered(catalog: Catalog<RegistryRow>, reference: string): Promise<AgnesError> {
  const tables = (await catalog.query({}, allTables)).map(registered);
  const known = tables.flatMap((table) => [table.id, table.viewName]);
  const near = nearest(reference.slice(0, 200), known);
  return new AgnesError("table_not_registered", {
    id: reference,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

/** The error for a caller that expects an older version, with all changes since. */
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
      fields: changed.map(storedName),
    })),
  });
}
