import { AgnesError, redactValue, formatValue, withDeadline } from "../base/mod.ts";
import type { Capability, TableInfo } from "../kit/mod.ts";
import { sourceMetadataProblem } from "../tables/mod.ts";
import type { SourceHandle } from "./connect.ts";

const DISCOVER_TIMEOUT_MS = 300_000;
const NAME_LENGTH_MAX = 255;

/**
 * Lists the tables of a source: pages joined, every table checked, in the source's order.
 *
 * @param options `timeoutMs` 5 min by default
 * @throws `capability_missing`, `plugin_failed`, `timed_out`, `aborted`
 */
export async function discoverTables(
  handle: Pick<SourceHandle, "name" | "plugin" | "connector"> & Partial<Pick<SourceHandle, "secrets">>,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<readonly TableInfo[]> {
  const { name: source, plugin, connector } = handle;
  if (connector.discover === undefined) {
    throw new AgnesError("capability_missing", { plugin: plugin.name, source, capability: "discover" });
  }
  const limits = { timeoutMs: DISCOVER_TIMEOUT_MS, ...options };
  return withDeadline(`the discovery of source ${source}`, limits, async (signal) => {
    const tables: TableInfo[] = [];
    const names = new Set<string>();
    for await (const table of pagesOf(connector.discover!({ signal }))) {
      const reason =
        tableProblem(table, plugin.capabilities) ??
        (names.has(table.name) ? `it lists table ${formatValue(table.name)} twice` : undefined);
      if (reason !== undefined) {
        throw new AgnesError("plugin_failed", {
          plugin: plugin.name,
          source,
          operation: "discover",
          reason: redactValue(reason, handle.secrets ?? []),
        });
      }
      names.add(table.name);
      tables.push(table);
    }
    return tables;
  });
}

async function* pagesOf(
  found: Promise<readonly TableInfo[]> | AsyncIterable<TableInfo | readonly TableInfo[]>,
): AsyncGenerator<TableInfo, void, void> {
  if (Symbol.asyncIterator in found) {
    for await (const page of found) yield* Array.isArray(page) ? page : [page as TableInfo];
  } else {
    yield* await found;
  }
}

/** Why something is not a table that Agnes can use; `undefined` when it is one. */
function tableProblem(table: TableInfo, declared: readonly Capability[]): string | undefined {
  if (typeof table !== "object" || table === null) return `it lists ${formatValue(table)}, which is no table`;
  const { name } = table;
  if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX || /\p{Cc}/u.test(name)) {
    return `${formatValue(name)} is no name of a table: 1 to ${NAME_LENGTH_MAX} characters that can be printed`;
  }
  const of = `of table ${formatValue(name)}`;
  const fields = (table.schema as TableInfo["schema"] | undefined)?.fields;
  // What cannot be read has no columns that anyone knows.
  if (table.problem !== undefined) return undefined;
  if (!Array.isArray(fields) || fields.length === 0) return `the schema ${of} has no columns`;
  const columns = new Set<string>();
  for (const { name: column } of table.schema.fields) {
    // DuckDB does not tell them apart by case.
    const folded = column.toLowerCase();
    if (column === "" || columns.has(folded)) {
      return `the column ${formatValue(column)} ${of} ${column === "" ? "has no name" : "is there twice; case does not count"}`;
    }
    columns.add(folded);
  }
  const named = new Set(table.schema.fields.map((field) => field.name));
  if (!Array.isArray(table.primaryKey)) return `the primary key ${of} is no list`;
  const missing = [...table.primaryKey, ...(table.cursor === undefined ? [] : [table.cursor])].find(
    (column) => !named.has(column),
  );
  if (missing !== undefined)
    return `there is no column ${formatValue(missing)} ${of}, though its key or cursor names it`;
  const badMetadata =
    table.sourceMetadata === undefined ? undefined : sourceMetadataProblem(table.sourceMetadata);
  if (badMetadata !== undefined) return `the sourceMetadata ${of} ${badMetadata}`;
  const undeclared = table.capabilities?.find((capability) => !declared.includes(capability));
  return undeclared === undefined
    ? undefined
    : `the capability ${formatValue(undeclared)} ${of} is not the plugin's`;
}
