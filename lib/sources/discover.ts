import { AgnesError, redactValue, formatValue, withDeadline } from "../base/mod.ts";
import type { Capability, TableInfo } from "../kit/mod.ts";
import { sourceMetadataProblem } from "../tables/mod.ts";
import type { SourceHandle } from "./connect.ts";

const DISCOVER_TIMEOUT_MS = 300_000;
const NAME_LENGTH_MAX = 255;

/**
 * Lists the tables of a source. Joins the pages, checks each table and keeps the order of the source.
 *
 * @param options.timeoutMs default: that of the plugin, or 5 minutes
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
  const limits = { timeoutMs: plugin.discoverTimeoutMs ?? DISCOVER_TIMEOUT_MS, ...options };
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

/** Returns why a table is invalid; `undefined` if it is valid. */
function tableProblem(table: TableInfo, declared: readonly Capability[]): string | undefined {
  if (typeof table !== "object" || table === null)
    return `it lists ${formatValue(table)}, which is not a table`;
  const { name } = table;
  if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX || /\p{Cc}/u.test(name)) {
    return `${formatValue(name)} is not a valid table name: use 1 to ${NAME_LENGTH_MAX} printable characters`;
  }
  const of = `of table ${formatValue(name)}`;
  const fields = (table.schema as TableInfo["schema"] | undefined)?.fields;
  // The columns of an unreadable table are unknown.
  if (table.problem !== undefined) return undefined;
  if (!Array.isArray(fields) || fields.length === 0) return `the schema ${of} has no columns`;
  const columns = new Set<string>();
  for (const { name: column } of table.schema.fields) {
    // DuckDB ignores case.
    const folded = column.toLowerCase();
    if (column === "" || columns.has(folded)) {
      return `the column ${formatValue(column)} ${of} ${column === "" ? "has no name" : "occurs twice, ignoring case"}`;
    }
    columns.add(folded);
  }
  const named = new Set(table.schema.fields.map((field) => field.name));
  if (!Array.isArray(table.primaryKey)) return `the primary key ${of} is not a list`;
  const missing = [...table.primaryKey, ...(table.cursor === undefined ? [] : [table.cursor])].find(
    (column) => !named.has(column),
  );
  if (missing !== undefined)
    return `the column ${formatValue(missing)} in the key or cursor ${of} does not exist`;
  const badMetadata =
    table.sourceMetadata === undefined ? undefined : sourceMetadataProblem(table.sourceMetadata);
  if (badMetadata !== undefined) return `the sourceMetadata ${of} ${badMetadata}`;
  const undeclared = table.capabilities?.find((capability) => !declared.includes(capability));
  return undeclared === undefined
    ? undefined
    : `the capability ${formatValue(undeclared)} ${of} is not declared by the plugin`;
}
