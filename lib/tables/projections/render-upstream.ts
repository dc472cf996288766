import { AgnesError } from "../../base/mod.ts";
import { nonDefaultFields, settingsOf, toStoredFields, type TableRecord } from "../record/mod.ts";
import type { RegisteredTable } from "../stored.ts";
import type { RegistrySnapshot } from "../types.ts";
import { checksumOf, renderYaml } from "./data-description.ts";
import { upstreamKeys } from "./upstream.ts";

/** A `data_description.md` for readers of the earlier system. */
export interface UpstreamDescription {
  readonly text: string;
  /** The fields and tables that the format cannot represent and the text omits. */
  readonly notes: readonly string[];
}

/**
 * Renders the tables of one source as a `data_description.md` for programs of the earlier system. The id is the
 * source's own name of the table, because the bucket is the id without its last part. The key is text separated by commas.
 *
 * @param source the source to export; optional if all tables belong to one source
 * @throws `invalid_input` if the tables belong to several sources, or a key cannot be represented
 */
export function renderUpstreamDescription(
  snapshot: RegistrySnapshot,
  source: string | undefined,
): UpstreamDescription {
  const sources = [...new Set(snapshot.tables.map((table) => table.source))];
  if (source === undefined && sources.length > 1)
    refuse(
      `the earlier system has one source, but the registry has ${sources.length}: choose one with --source`,
    );
  const wanted = snapshot.tables.filter((table) => source === undefined || table.source === source);
  const notes: string[] = [];
  const entries = wanted.flatMap((table) => {
    const reason = reasonToLeaveOut(table);
    if (reason !== null) notes.push(`${table.id} is left out: ${reason}`);
    else notes.push(...notesOf(table));
    return reason === null ? [entryOf(table)] : [];
  });
  const ids = wanted.filter((table) => reasonToLeaveOut(table) === null).map(upstreamId);
  const doubled = ids.find((id, at) => ids.indexOf(id) !== at);
  if (doubled !== undefined) refuse(`two tables are read from ${doubled}`);
  const yaml = renderYaml(snapshot.folders, entries);
  const count = entries.length;
  const text = `<!-- Generated from the table registry of Agnes, for the readers of the earlier system. -->
<!-- Do not edit: change the registry with \`agnes table update\` and export again. -->
<!-- checksum: sha256:${checksumOf(yaml)} -->

# Data Description

Generated from version ${snapshot.version} of the registry: ${count} ${count === 1 ? "table" : "tables"}.

\`\`\`yaml
${yaml}\`\`\`
`;
  return { text, notes };
}

function entryOf(table: RegisteredTable): Readonly<Record<string, unknown>> {
  const settings = toStoredFields(nonDefaultFields(settingsOf(table)));
  const fields: Readonly<Record<string, unknown>> = {
    ...keptFields(table),
    ...settings,
    id: upstreamId(table),
    name: table.viewName,
    description: table.description,
    primary_key: keyText(table),
    sync_strategy: table.syncStrategy,
  };
  return Object.fromEntries(
    upstreamKeys.flatMap((key) => (fields[key] === undefined ? [] : [[key, fields[key]]])),
  );
}

/** An import of an earlier version of Agnes kept it here, when it was no field yet. */
const HELD = "initial_load_chunk_days";

function keptFields({ sourceMetadata: kept }: TableRecord): Readonly<Record<string, unknown>> {
  return Object.hasOwn(kept, HELD) ? { [HELD]: kept[HELD] } : {};
}

/** The source's own name of the table, prefixed with its bucket. */
function upstreamId({ bucket, sourceTable: name }: TableRecord): string {
  return bucket === null || name!.includes(".") ? name! : `${bucket}.${name!}`;
}

function keyText({ id, primaryKey: key }: TableRecord): string {
  const bad = key.find((column) => column.includes(",") || column !== column.trim());
  if (bad !== undefined)
    refuse(
      `the key of ${id} has the column ${JSON.stringify(bad)}, which a comma-separated text cannot represent`,
    );
  return key.join(", ");
}

function reasonToLeaveOut(table: TableRecord): string | null {
  if (table.queryMode === "remote") return "remote tables do not exist in that system";
  if (table.sourceTable === null || table.sourceQuery !== null)
    return "materialized tables do not exist in that system";
  return null;
}

/** A note about fields with values that have no key in the earlier system. */
function notesOf(table: TableRecord): readonly string[] {
  const known: readonly string[] = [...upstreamKeys, ...IMPLIED];
  const keptCount = Object.keys(keptFields(table)).length;
  const lost = Object.keys(toStoredFields(nonDefaultFields(settingsOf(table)))).filter(
    (field) =>
      !known.includes(field) &&
      !(field === "source_metadata" && keptCount === Object.keys(table.sourceMetadata).length),
  );
  return lost.length === 0 ? [] : [`${table.id} has more than can be written there: ${lost.join(", ")}`];
}

/** Fields represented by `id`, `name` and the choice of the source. */
const IMPLIED = ["source", "name", "view_name", "source_table", "bucket"];

function refuse(reason: string): never {
  throw new AgnesError("invalid_input", { what: "the export for the earlier system", reason });
}
