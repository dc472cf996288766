import { createHash } from "node:crypto";

import { publishedKey, type PublishedColumn, type PublishedTable, type Part } from "../../extract/mod.ts";
import type { CheckedEntry } from "../../query/mod.ts";
import { folderOf, type RegisteredTable } from "../../tables/mod.ts";
import { contentHash, layoutsOf } from "./content-hash.ts";
import type { PublishedExtract } from "./published-extracts.ts";

/** Why a table has no parts to download. */
type Unavailable = "remote" | "server_only" | "not_published" | "foreign" | "unreadable";

const MESSAGES: Readonly<Record<Unavailable, string>> = {
  remote: "its rows are in its source; query it on the server",
  server_only: "it may be queried on the server only",
  not_published: "it is not published yet",
  foreign: "another program wrote its extract, so its parts are not known; query it on the server",
  unreadable: "the server cannot read its extract now",
};

/** A table of the manifest. */
export interface ManifestTable {
  /** `source.name` */
  readonly id: string;
  readonly source: string;
  readonly name: string;
  readonly viewName: string | null;
  /** The group of the table; see the field `dataset` of the registry. */
  readonly group: string | null;
  readonly folder: string | null;
  readonly unavailable: Unavailable | null;
  /** A generation of its extract with these parts; not the current one, if only other tables changed since. */
  readonly generation: number | null;
  readonly parts: readonly Part[];
  /** The table as in `GET /api/sync/manifest`. */
  readonly json: string;
  /** A hash of `json` without the generation, which also changes with other tables of the source. */
  readonly digest: string;
}

/** What is known of a table. At least one of `entry` and `record` is there. */
export interface TableFacts {
  readonly id: string;
  readonly entry: CheckedEntry | undefined;
  readonly record: RegisteredTable | undefined;
  /** The plugin of its source; null: the source is not configured. */
  readonly plugin: string | null;
  readonly extract: PublishedExtract;
  /** The table in the published state of its extract. */
  readonly published: PublishedTable | undefined;
}

/** Describes a table for the manifest. @param earlier the table as it was last described; undefined: it was not */
export function manifestTable(
  facts: TableFacts,
  folders: Readonly<Record<string, string>>,
  earlier: ManifestTable | undefined,
): ManifestTable {
  const { id, entry, record, plugin, extract, published } = facts;
  const source = entry?.source ?? record!.source;
  const name = id.slice(source.length + 1);
  const viewName = entry === undefined || entry.name === id ? null : entry.name;
  const folder = record === undefined ? null : folderOf(record, folders);
  const unavailable = unavailableOf(facts);
  const available = unavailable === null ? published! : null;
  const shown = unavailable === "remote" || published === undefined ? null : published;
  const content = JSON.stringify({
    view_name: viewName,
    source,
    name,
    source_type: plugin ?? extract.state?.generation.plugin ?? null,
    folder,
    description: record?.description || (entry?.description ?? ""),
    primary_key: shown === null ? [] : keyOf(shown),
    query_mode: record?.queryMode ?? entry?.mode ?? "local",
    server_only: record?.serverOnly ?? false,
    hash: available === null ? null : contentHash(available),
    updated: shown?.extractedAt.toISOString() ?? entry?.extractedAt ?? null,
    rows: shown?.rows ?? entry?.rows ?? null,
    size_bytes: shown?.sizeBytes ?? entry?.sizeBytes ?? null,
    unavailable: unavailable && { code: unavailable, message: MESSAGES[unavailable] },
    columns: (shown?.columns ?? []).map((column) => ({
      ...columnOf(column),
      description: column.description ?? "",
    })),
    layouts: (available === null ? [] : layoutsOf(available)).map(({ version, columns }) => ({
      version,
      columns: columns.map(columnOf),
    })),
    parts: (available?.parts ?? []).map(partOf),
  });
  const digest = createHash("sha256").update(content).digest("hex");
  const current = shown === null ? null : extract.state!.generation.number;
  const generation = earlier?.digest === digest ? earlier.generation : current;
  return {
    id,
    source,
    name,
    viewName,
    group: record?.dataset ?? null,
    folder,
    unavailable,
    generation,
    parts: available?.parts ?? [],
    json: `{"generation":${generation},${content.slice(1)}`,
    digest,
  };
}

function unavailableOf({ entry, record, extract, published }: TableFacts): Unavailable | null {
  if ((record?.queryMode ?? entry?.mode) === "remote" || entry?.accessMode === "remote") return "remote";
  if (record?.serverOnly === true) return "server_only";
  if (extract.problem !== null) return extract.problem;
  return entry === undefined || published === undefined || published.mode === "remote"
    ? "not_published"
    : null;
}

/** The columns of the key that the table was read with. */
function keyOf(table: PublishedTable): readonly string[] {
  return table.definition === "" ? [] : publishedKey(table);
}

function columnOf({ name, type, nullable }: PublishedColumn) {
  return { name, type, nullable };
}

function partOf(part: Part) {
  return {
    path: part.path,
    rows: part.rows,
    size_bytes: part.sizeBytes,
    sha256: part.sha256,
    layout: part.schemaVersion,
    format: part.format,
    partition: part.partition,
    origin: part.origin,
    key_min: part.keyMin,
    key_max: part.keyMax,
    cursor_min: part.cursorMin,
    cursor_max: part.cursorMax,
  };
}
