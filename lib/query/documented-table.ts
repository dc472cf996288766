import { isAgnesError } from "../base/mod.ts";
import type { MetadataFreshness, RegisteredTable, TableSettings } from "../tables/mod.ts";
import type { CatalogEntry, TableDescription } from "./catalog.ts";

/** One table of the catalog, with its freshness. */
export interface CheckedEntry extends CatalogEntry {
  /**
   * Start of the table's last successful sync, even if its rows were unchanged: the table has the state of the source at
   * this time or later. `extractedAt` is when its rows were last written, so it is later if that sync changed them. ISO
   * 8601, UTC; null: unknown.
   */
  readonly checkedAt: string | null;
  /**
   * How current `rows` and `sizeBytes` of a remote table are, which are those of the metadata cache; see `Metadata`. Null: the
   * table is not remote, or not registered.
   */
  readonly freshness: MetadataFreshness | null;
  /** The last successful refresh of the metadata of a remote table, ISO 8601; null: none. */
  readonly metadataAt: string | null;
}

/** A table and its columns, with its documentation in the registry. */
export interface DocumentedTable extends TableDescription {
  /** Columns that reference other tables; empty if none are registered. */
  readonly foreignKeys: TableSettings["foreignKeys"];
  /** Grain, pitfalls, sample questions and the like; empty if nothing is registered. */
  readonly documentation: TableSettings["documentation"];
  /** Metadata of the source or an earlier system, unchanged; empty if nothing is registered. */
  readonly sourceMetadata: TableSettings["sourceMetadata"];
}

/**
 * Adds the registered documentation to a table.
 *
 * @param record its registration; null: it is not registered
 * @param accessible the tables that the caller may access, so that the documentation names no other; null: all
 */
export function documentedTable(
  table: TableDescription,
  record: TableSettings | null | undefined,
  accessible: readonly CatalogEntry[] | null,
): DocumentedTable {
  const documented = {
    ...table,
    description: record?.description || table.description,
    schema: withDescriptions(table.schema, record?.columnMetadata ?? {}),
    foreignKeys: record?.foreignKeys ?? [],
    documentation: record?.documentation ?? {},
    sourceMetadata: record?.sourceMetadata ?? {},
  };
  return accessible === null ? documented : withoutOtherTables(documented, accessible);
}

/**
 * Returns entries of the catalog with the descriptions of the registry, which come before those of the source. Published rows
 * can be listed without the registry, so if it cannot be read, the published descriptions stay.
 */
export async function withRegisteredDescriptions<E extends CatalogEntry>(
  entries: readonly E[],
  registered: () => Promise<readonly RegisteredTable[]>,
): Promise<readonly E[]> {
  const records = await registered().catch((error: unknown) => {
    if (!isAgnesError(error)) throw error;
    return [];
  });
  const known = new Map(records.map(({ id, description }) => [id, description]));
  return entries.map((entry) => ({ ...entry, description: known.get(entry.id) || entry.description }));
}

/** The columns with the descriptions of the registry, which come before those of the source. */
function withDescriptions(
  columns: DocumentedTable["schema"],
  registered: TableSettings["columnMetadata"],
): DocumentedTable["schema"] {
  return columns.map((column) => {
    const own = Object.hasOwn(registered, column.name) ? registered[column.name]!.description : undefined;
    return own === undefined ? column : { ...column, description: own };
  });
}

/** A description without the references to tables that a caller may not access. */
function withoutOtherTables(table: DocumentedTable, accessible: readonly CatalogEntry[]): DocumentedTable {
  const names = new Set(accessible.flatMap(({ id, name }) => [id.toLowerCase(), name.toLowerCase()]));
  const canAccess = (name: string) => names.has(name.toLowerCase());
  // A reference is a table, or a table and its column.
  const foreignKeys = table.foreignKeys.filter(
    ({ references }) => canAccess(references) || canAccess(references.slice(0, references.lastIndexOf("."))),
  );
  const { pairsWellWith, ...documentation } = table.documentation;
  return {
    ...table,
    foreignKeys,
    documentation: {
      ...documentation,
      ...(pairsWellWith && { pairsWellWith: pairsWellWith.filter(canAccess) }),
    },
  };
}
