import * as v from "valibot";

import { AgnesError, isExposedName, isReservedSchema } from "../base/mod.ts";
import { isTypeText, storedType } from "../duckdb/mod.ts";
import { isTableName, type CopiedTable } from "../extract/mod.ts";

/** The list of tables of a server for one principal, checked. */
export interface Manifest {
  readonly tables: readonly ManifestTable[];
  /** Tables of the list that this version cannot use, by id. */
  readonly invalid: ReadonlyMap<string, AgnesError>;
}

/** One table of the server. */
export interface ManifestTable {
  /** `source.name` */
  readonly id: string;
  readonly source: string;
  readonly name: string;
  /** Its name in SQL; null: another table has it. */
  readonly viewName: string | null;
  readonly folder: string | null;
  readonly description: string;
  readonly primaryKey: readonly string[];
  readonly generation: number;
  /** Why the server has no parts of it to download; null: it has. */
  readonly unavailable: { readonly code: string; readonly message: string } | null;
  /** What to publish; null if it is unavailable. */
  readonly copy: CopiedTable | null;
  /** The path of each part on the server, by its hash. */
  readonly remotePaths: ReadonlyMap<string, string>;
}

/** The greatest number of bytes that JSON and DuckDB both keep exactly. */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const printable = (maxLength: number) =>
  v.pipe(
    v.string(),
    v.maxLength(maxLength),
    v.check((text) => !/[^\P{Cc}\n\r\t]|\p{Cs}/u.test(text), "it has control characters"),
  );
const exposed = v.pipe(
  v.string(),
  v.check((text) => isExposedName(text) && !text.startsWith("_"), "it is not a valid name"),
);
const sourceName = v.pipe(
  exposed,
  v.check((text) => !isReservedSchema(text), "the name is reserved"),
);
const tableName = v.pipe(exposed, v.check(isTableName, "the name is reserved"));
const typeText = v.pipe(
  v.string(),
  v.check(isTypeText, "it is not a type of DuckDB"),
  v.transform(storedType),
);
const text = v.nullish(v.string(), null);

const layoutColumn = v.object({ name: printable(1_000), type: typeText, nullable: v.boolean() });
const column = v.object({ ...layoutColumn.entries, description: v.nullish(printable(100_000), null) });

const part = v.object({
  path: printable(4_000),
  rows: count,
  size_bytes: count,
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  layout: count,
  format: count,
  partition: text,
  origin: text,
  key_min: text,
  key_max: text,
  cursor_min: text,
  cursor_max: text,
});

const manifestTable = v.object({
  view_name: v.nullable(exposed),
  source: sourceName,
  name: tableName,
  folder: v.nullish(v.string(), null),
  description: v.nullish(printable(100_000), ""),
  primary_key: v.nullish(v.array(printable(1_000)), []),
  query_mode: v.string(),
  generation: v.nullish(count, null),
  updated: v.nullish(v.pipe(v.string(), v.isoTimestamp()), null),
  rows: v.nullish(count, null),
  size_bytes: v.nullish(count, null),
  unavailable: v.nullish(v.object({ code: v.string(), message: v.string() }), null),
  columns: v.nullish(v.array(column), []),
  layouts: v.nullish(v.array(v.object({ version: count, columns: v.array(layoutColumn) })), []),
  parts: v.nullish(v.array(part), []),
});

const head = v.object({ version: v.literal(1), tables: v.record(v.string(), v.unknown()) });

/** Checks a manifest. Nothing of it is trusted: names become paths and SQL. @throws `manifest_invalid` */
export function parseManifest(server: string, content: unknown): Manifest {
  const checked = new ManifestTables(server);
  for (const [id, table] of Object.entries(checkHead(server, content))) checked.add(id, table);
  return checked.manifest;
}

/** Checks what a manifest has besides its tables. @returns the tables, unchecked @throws `manifest_invalid` */
export function checkHead(server: string, content: unknown): Readonly<Record<string, unknown>> {
  const parsed = v.safeParse(head, content);
  if (parsed.success) return parsed.output.tables;
  const what = v.getDotPath(parsed.issues[0]) ?? "the content";
  throw new AgnesError("manifest_invalid", { server, what, reason: "is not valid" });
}

/** Checks the tables of a manifest one by one. */
export class ManifestTables {
  readonly #server: string;
  readonly #tables: ManifestTable[] = [];
  readonly #invalid = new Map<string, AgnesError>();
  readonly #seen = new Set<string>();

  constructor(server: string) {
    this.#server = server;
  }

  get manifest(): Manifest {
    return { tables: this.#tables, invalid: this.#invalid };
  }

  add(id: string, value: unknown): void {
    const parsed = v.safeParse(manifestTable, value);
    const problem = parsed.success
      ? tableProblem(id, parsed.output)
      : `is not valid: ${v.getDotPath(parsed.issues[0]) ?? "the content"}`;
    const reason = problem ?? (this.#seen.has(id.toLowerCase()) ? "is listed twice" : null);
    this.#seen.add(id.toLowerCase());
    if (reason === null) {
      this.#tables.push(tableOf(id, parsed.output as Parsed));
      return;
    }
    const details = { server: this.#server, what: `table ${shortId(id)}`, reason };
    this.#invalid.set(id, new AgnesError("manifest_invalid", details));
  }
}

/** The server lists the table, and has neither its rows now nor a reason why a copy must not have them. */
const UNCLEAR = new Set(["unreadable", "not_published"]);

/** The tables of which the list has nothing certain, so that their copies stay as they are. */
export function uncertainIds({ tables, invalid }: Manifest): readonly string[] {
  const unclear = tables.filter(({ unavailable }) => UNCLEAR.has(unavailable?.code ?? ""));
  return [...unclear.map(({ id }) => id), ...invalid.keys()];
}

/** Whether the list has nothing certain of a table, in any case of its id; see `uncertainIds`. */
export function isUncertain(manifest: Manifest): (id: string) => boolean {
  const ids = new Set(uncertainIds(manifest).map((id) => id.toLowerCase()));
  return (id) => ids.has(id.toLowerCase());
}

const shortId = (id: string) => JSON.stringify(id.slice(0, 200));

type Parsed = v.InferOutput<typeof manifestTable>;

/** What is wrong with a table beyond its fields; null: nothing. */
function tableProblem(id: string, table: Parsed): string | null {
  if (id !== `${table.source}.${table.name}`) return `is named ${shortId(`${table.source}.${table.name}`)}`;
  if (table.unavailable !== null) return null;
  if (table.query_mode !== "local" && table.query_mode !== "materialized") return "has no parts to download";
  const { rows, parts, columns, layouts, updated } = table;
  if (rows === null || updated === null) return "lacks its rows or its time";
  if (columns.length === 0) return "has no columns";
  for (const list of [columns, ...layouts.map((layout) => layout.columns)])
    if (new Set(list.map(({ name }) => name.toLowerCase())).size !== list.length) return "has a column twice";
  const versions = new Set(layouts.map(({ version }) => version));
  if (versions.size !== layouts.length) return "has a layout twice";
  if (parts.some(({ layout }) => !versions.has(layout))) return "has a part of an unknown layout";
  if (parts.reduce((sum, one) => sum + one.rows, 0) !== rows)
    return "has another number of rows than its parts";
  return null;
}

function tableOf(id: string, table: Parsed): ManifestTable {
  const { source, name, folder, description, unavailable } = table;
  return {
    id,
    source,
    name,
    viewName: table.view_name,
    folder,
    description,
    primaryKey: table.primary_key,
    generation: table.generation ?? 0,
    unavailable,
    copy: unavailable === null ? copyOf(table) : null,
    remotePaths: new Map(table.parts.map(({ sha256, path }) => [sha256, path])),
  };
}

function copyOf(table: Parsed): CopiedTable {
  const { parts } = table;
  return {
    name: table.name,
    description: table.description,
    mode: table.query_mode as CopiedTable["mode"],
    primaryKey: table.primary_key,
    rows: table.rows!,
    sizeBytes: parts.reduce((sum, one) => sum + one.size_bytes, 0),
    extractedAt: new Date(table.updated!),
    columns: table.columns.map(({ description, ...named }) =>
      description === null || description === "" ? named : { ...named, description },
    ),
    layouts: table.layouts,
    parts: parts.map((one) => ({
      rows: one.rows,
      sizeBytes: one.size_bytes,
      sha256: one.sha256,
      format: one.format,
      schemaVersion: one.layout,
      partition: one.partition,
      origin: one.origin,
      keyMin: one.key_min,
      keyMax: one.key_max,
      cursorMin: one.cursor_min,
      cursorMax: one.cursor_max,
    })),
  };
}
