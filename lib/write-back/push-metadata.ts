import { AgnesError, redactThrown } from "../base/mod.ts";
import type { ColumnToDescribe, MetadataChange } from "../kit/mod.ts";
import { openSource, unknownSource, type SourceHandle, type SourceServices } from "../sources/mod.ts";
import type { RegisteredTable, TableRegistry } from "../tables/mod.ts";

/** Which metadata of columns to write back. */
export interface PushMetadataRequest {
  /** The id or view name of a registered table. Its field `columnMetadata` is written. */
  readonly table: string;
  /** Whether to run all checks and write nothing. Default: `false`. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** What was written back, or in a dry run would be. */
export interface PushMetadataReport {
  readonly source: string;
  /** The id of the registered table. */
  readonly table: string;
  /** One for each registered description and type, by column. */
  readonly changes: readonly MetadataChange[];
  readonly dryRun: boolean;
}

/** The services of `pushMetadata`. */
interface MetadataServices extends SourceServices {
  readonly tables: () => Promise<TableRegistry>;
}

/**
 * Writes the registered descriptions and types of columns to the source of a table.
 *
 * @throws `table_not_registered`, `source_unknown`, `capability_missing`, `write_refused`, `table_vanished`, and the errors
 * of the plugin
 */
export async function pushMetadata(
  services: MetadataServices,
  { table, dryRun = false, signal = new AbortController().signal }: PushMetadataRequest,
): Promise<PushMetadataReport> {
  const record = await (await services.tables()).find(table);
  const known = Object.keys(services.workspace.config.sources);
  if (!known.includes(record.source)) throw unknownSource(record.source, known);
  const columns = columnsOf(record);
  await using handle = await openSource(services, record.source, signal);
  try {
    const write = writeMetadataOf(handle, record);
    const { bucket, sourceTable } = record;
    const options = { dryRun, signal, ...(bucket === null ? {} : { bucket }) };
    const changes = await write(sourceTable!, columns, options);
    if (changes === null)
      throw new AgnesError("table_vanished", { id: record.id, source: record.source, table: sourceTable! });
    return { source: record.source, table: record.id, changes, dryRun };
  } catch (error) {
    throw redactThrown(error, handle.secrets);
  }
}

/** @throws `write_refused` for a table without metadata, or without a table in the source */
function columnsOf(record: RegisteredTable): readonly ColumnToDescribe[] {
  const { id, columnMetadata, sourceTable } = record;
  const refuse = (reason: string, advice: string): never => {
    throw new AgnesError("write_refused", { source: record.source, table: id, reason, advice });
  };
  if (sourceTable === null)
    refuse(
      "it is the result of a query, not a table of the source",
      "Register the table of the source, and set the metadata of its columns.",
    );
  const columns = Object.entries(columnMetadata).map(([name, parts]) => ({ name, ...parts }));
  if (columns.length === 0)
    refuse(
      "no descriptions or types of its columns are registered",
      `Set them with \`agnes table update ${id} --column-metadata '{"COLUMN": {"description": "TEXT"}}'\`.`,
    );
  return columns;
}

function writeMetadataOf(
  { connector, plugin }: SourceHandle,
  { id, source }: RegisteredTable,
): NonNullable<SourceHandle["connector"]["writeMetadata"]> {
  if (connector.write === undefined)
    throw new AgnesError("capability_missing", { plugin: plugin.name, source, capability: "write" });
  if (connector.writeMetadata !== undefined) return connector.writeMetadata.bind(connector);
  const reason = `the plugin ${plugin.name} writes rows, but no descriptions and types of columns`;
  throw new AgnesError("write_refused", { source, table: id, reason, advice: "Set them in the source." });
}
