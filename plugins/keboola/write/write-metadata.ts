import type { ColumnToDescribe, MetadataChange, WriteMetadataOptions } from "agnes/kit";

import { columnsOf, entriesOf, isTyped, type TableColumn } from "../tables/columns.ts";
import { errors } from "../errors.ts";
import { kindOf } from "../tables/kinds.ts";
import { describedType, descriptionOf, type DescribedType } from "../tables/metadata-providers.ts";
import { dateOf } from "../dates.ts";
import { setMetadataSchema, type MetadataEntry, type StorageTable } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import { translateType } from "./sql-types.ts";
import { tableIdOf } from "../tables/table-id.ts";
import { pathOf } from "../tables/tables.ts";
import { tableToWrite } from "./write-access.ts";
import { writeFailed } from "./write-failed.ts";

/** Comes after `user` and before all other providers, so its values take effect and override no value of a person. */
const PROVIDER = "ai-metadata-enrichment";
const DESCRIPTION = "KBC.description";
const LENGTH = "KBC.datatype.length";

interface Entry {
  readonly key: string;
  readonly value: string;
}

/** A change, the entries to send for it, and the ids of those that would contradict them. */
interface Planned {
  readonly change: MetadataChange;
  readonly entries: readonly Entry[];
  readonly stale?: readonly string[];
}

/**
 * Writes descriptions and types of columns, in one request for all that differ. Null: the project does not have the table.
 * @throws the errors of `tableToWrite`, `keboola/write_refused` for a table whose metadata is that of another
 */
export async function writeMetadata(
  source: Source,
  name: string,
  columns: readonly ColumnToDescribe[],
  { bucket, dryRun = false, signal }: WriteMetadataOptions,
): Promise<readonly MetadataChange[] | null> {
  const id = tableIdOf(name, bucket);
  const table = await tableToWrite(source, id, signal);
  if (table === null) return null;
  checkKind(table);
  const known = new Map(columnsOf(table).map((column) => [column.name, column]));
  const planned = columns.map((column) => {
    const found = known.get(column.name);
    const plans = found === undefined ? withoutColumn(column) : plansOf(table, found, column);
    return { column: column.name, plans };
  });
  const groups = planned
    .map(({ column, plans }) =>
      plans.flatMap(({ entries }) => entries.map((entry) => ({ columnName: column, ...entry }))),
    )
    .filter((entries) => entries.length > 0);
  if (dryRun) return changesOf(planned);
  const stale = planned.flatMap(({ column, plans }) =>
    plans.flatMap((plan) => (plan.stale ?? []).map((entry) => ({ column, entry }))),
  );
  if (groups.length > 0) await send(source, id, groups, signal);
  // Last: if the new types are not written, the earlier ones need their lengths.
  for (const { column, entry } of stale) await remove(source, `${id}.${column}`, entry, signal);
  return changesOf(planned);
}

function changesOf(planned: readonly { readonly plans: readonly Planned[] }[]): readonly MetadataChange[] {
  return planned.flatMap(({ plans }) => plans.map(({ change }) => change));
}

function checkKind(table: StorageTable): void {
  const kind = kindOf(table);
  if (kind !== "alias" && kind !== "linked") return;
  const { sourceTable } = table;
  const project = sourceTable?.project === undefined ? "" : ` of project ${sourceTable.project.id}`;
  throw errors.write_refused({
    table: table.id,
    reason: `it is ${kind === "alias" ? "an alias" : "in a linked bucket"}, and its columns are described by its source, ${sourceTable?.id ?? "another table"}${project}`,
    advice: "Write the metadata of the source table.",
  });
}

function withoutColumn(column: ColumnToDescribe): readonly Planned[] {
  return (["description", "type"] as const).flatMap((part) => {
    const value = column[part];
    if (value === undefined) return [];
    return [skipped({ column: column.name, part, value, before: null }, "the table has no such column")];
  });
}

function plansOf(
  table: StorageTable,
  found: TableColumn,
  { description, type }: ColumnToDescribe,
): readonly Planned[] {
  const entries = entriesOf(table, found.name);
  return [
    ...(description === undefined ? [] : [planDescription(entries, found, description)]),
    ...(type === undefined ? [] : [planType({ table, found, entries, value: type })]),
  ];
}

function planDescription(
  entries: readonly MetadataEntry[],
  { name, description }: TableColumn,
  value: string,
): Planned {
  const before = description ?? null;
  const base = { column: name, part: "description", value, before } as const;
  if (before === value) return { change: { ...base, outcome: "unchanged" }, entries: [] };
  if (descriptionOf(entries.filter(byUser)) !== undefined)
    return skipped(base, "a user of Keboola described the column, which comes first");
  return { change: { ...base, outcome: "written" }, entries: [{ key: DESCRIPTION, value }] };
}

function planType({
  table,
  found: { name, type: before, nativeType },
  entries,
  value,
}: {
  readonly table: StorageTable;
  readonly found: TableColumn;
  readonly entries: readonly MetadataEntry[];
  readonly value: string;
}): Planned {
  const base = { column: name, part: "type", value, before } as const;
  const translation = translateType(value);
  // A typed table may have types that no metadata describes, such as TIME.
  const isSame =
    before === (translation.reason === undefined ? translation.type : value.trim().toUpperCase());
  if (isSame) {
    const stale = isTyped(table) || translation.reason !== undefined ? [] : leftLengths(entries, translation);
    return { change: { ...base, outcome: "unchanged" }, entries: [], stale };
  }
  if (isTyped(table)) return skipped(base, `the table is typed, so its column stays ${nativeType ?? before}`);
  if (translation.reason !== undefined) return skipped(base, translation.reason);
  if (describedType(entries, (provider) => provider === "user") !== null)
    return skipped(base, "a user of Keboola set the type of the column, which comes first");
  const sent = entriesFor(translation.described);
  const stale = sent.some(({ key }) => key === LENGTH) ? [] : idsOf(lengthsOf(entries));
  return { change: { ...base, outcome: "written" }, entries: sent, stale };
}

function entriesFor(described: DescribedType): readonly Entry[] {
  return Object.entries(described).map(([key, text]) => ({ key: `KBC.datatype.${key}`, value: text }));
}

/** The lengths of this provider, which a new type without one would keep. */
const lengthsOf = (entries: readonly MetadataEntry[]): readonly MetadataEntry[] =>
  entries.filter(({ key, provider }) => key === LENGTH && provider === PROVIDER);

const idsOf = (entries: readonly MetadataEntry[]): readonly string[] => entries.flatMap(({ id }) => id ?? []);

/** The lengths that an interrupted run did not remove: they are older than the type, which has none. */
function leftLengths(
  entries: readonly MetadataEntry[],
  { described }: { readonly described: DescribedType },
): readonly string[] {
  const expected = entriesFor(described);
  if (expected.some(({ key }) => key === LENGTH)) return [];
  const written = expected.map(({ key, value }) =>
    entries.find((entry) => entry.key === key && entry.value === value && entry.provider === PROVIDER),
  );
  const times = written.map((entry) => dateOf(entry?.timestamp)?.getTime() ?? 0);
  const isOlder = ({ timestamp }: MetadataEntry) => {
    const date = dateOf(timestamp);
    return date !== null && times.every((time) => date.getTime() < time);
  };
  return idsOf(lengthsOf(entries).filter(isOlder));
}

const byUser = ({ provider }: MetadataEntry): boolean => provider === "user";

function skipped(base: Omit<MetadataChange, "outcome" | "reason">, reason: string): Planned {
  return { change: { ...base, outcome: "skipped", reason }, entries: [] };
}

async function remove(source: Source, column: string, entry: string, signal: AbortSignal): Promise<void> {
  const { api, settings } = source;
  const path = `${pathOf(settings.branch)}/columns/${encodeURIComponent(column)}/metadata/${encodeURIComponent(entry)}`;
  const what = `the removal of the earlier length of column ${column}`;
  const advice = "The new types are written; run it again to remove the length.";
  await api.remove(path, { what, advice, signal }).catch(writeFailed(source, column));
}

async function send(
  source: Source,
  table: string,
  groups: readonly (readonly (Entry & { readonly columnName: string })[])[],
  signal: AbortSignal,
): Promise<void> {
  const { api, settings } = source;
  await api
    .call(`${pathOf(settings.branch)}/tables/${encodeURIComponent(table)}/metadata`, {
      // Numbered: Keboola no longer recommends the names of columns as keys.
      json: { provider: PROVIDER, columnsMetadata: Object.fromEntries(groups.entries()) },
      schema: setMetadataSchema,
      what: `the metadata of table ${table}`,
      advice: "Check the table in Keboola, and run it again.",
      signal,
    })
    .catch(writeFailed(source, table));
}
