import {
  AgnesError,
  definePlugin,
  table as tableInfo,
  utf8,
  type arrow,
  type Batch,
  type ConnectContext,
  type FileChunk,
  type ReadEnd,
  type ReadOptions,
  type TableInfo,
} from "agnes/kit";

import {
  digest,
  fingerprint,
  parseState,
  planRead,
  writeState,
  type Fingerprint,
  type ReadState,
} from "./changes.ts";
import { filesOptions, type FilesOptions } from "./options.ts";
import {
  literal,
  mergeShapes,
  rowsOf,
  schemaOf,
  shapeOf,
  SNIFFED_WHOLE_BYTES,
  type FileShape,
  type Shape,
} from "./shape.ts";
import { listTables, originOf, type FilesTable } from "./tables.ts";
import { checkWhole } from "./whole.ts";

/** CSV, TSV, NDJSON, JSON and Parquet files as tables. */
export default definePlugin({
  name: "files",
  version: "1.0.0",
  description: "CSV, TSV, NDJSON, JSON and Parquet files: a file or a sub-folder is a table",
  capabilities: ["discover", "read"],
  register: "all",
  options: filesOptions,
  secrets: {},
  connect(context) {
    const source = new FilesSource(context);
    return {
      discover: ({ signal }) => source.discover(signal),
      read: (info, options) => source.read(info, options),
      async health({ signal }) {
        const tables = await source.tables(signal);
        const files = [...tables.values()].reduce((sum, one) => sum + one.files.length, 0);
        const { path } = context.options;
        const where = path === undefined ? "" : ` at ${context.resolvePath(path)}`;
        return { ok: true, message: `${tables.size} tables in ${files} files${where}` };
      },
    };
  },
});

/** The columns of a table and, by path, those of each of its files; `null` for a file that is empty. */
interface Described {
  readonly shape: Shape;
  readonly files: ReadonlyMap<string, Shape | null>;
}

class FilesSource {
  readonly #context: ConnectContext<FilesOptions, Record<never, never>>;
  /** Shapes by file, with what they were sniffed from, so that a read does not sniff again what discover did. */
  readonly #shapes = new Map<string, { readonly key: string; readonly shape: FileShape | null }>();

  constructor(context: ConnectContext<FilesOptions, Record<never, never>>) {
    this.#context = context;
  }

  async tables(signal: AbortSignal): Promise<ReadonlyMap<string, FilesTable>> {
    const { options, duckdb, resolvePath } = this.#context;
    const glob = async (pattern: string) =>
      (await rowsOf(duckdb, `SELECT file FROM glob(${literal(pattern)})`, signal)).map((row) =>
        String(row["file"]),
      );
    return listTables(options, { glob, resolvePath });
  }

  async *discover(signal: AbortSignal): AsyncGenerator<TableInfo> {
    for (const [name, table] of await this.tables(signal)) {
      try {
        yield await this.#info(name, table, signal);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        this.#context.log.warn(error.message, { table: name });
        yield unreadableTable(name, error);
      }
    }
  }

  async *read(info: TableInfo, options: ReadOptions): AsyncGenerator<Batch, ReadEnd> {
    const { signal } = options;
    const table = (await this.tables(signal)).get(info.name);
    if (table === undefined) {
      throw new AgnesError("source_table_gone", { table: info.name });
    }
    const { shape, files } = await this.#describe(table, signal);
    const before = parseState(options.state);
    const lookedAt = this.#context.now();
    const seen = await this.#look(table, shape, before, options);
    const plan = planRead(before, seen);
    const state = writeState(seen, lookedAt);
    if (plan.isUnchanged) return { unchanged: true, state };
    const changed = new Set(plan.changed);
    for (const [file, fileShape] of files) {
      signal.throwIfAborted();
      const origin = originOf(table, file);
      if (!changed.has(origin) || fileShape === null) continue;
      await checkWhole(file, signal);
      yield chunkOf(table, file, origin, fileShape, shape);
    }
    return { state, kept: plan.kept };
  }

  async #info(name: string, table: FilesTable, signal: AbortSignal): Promise<TableInfo> {
    const { primaryKey = [], description } = table.settings;
    const known = { primaryKey, ...(description === undefined ? {} : { description }) };
    const schema = await this.#schema(table, signal);
    const stranger = primaryKey.find((column) => !schema.names.includes(column));
    if (stranger !== undefined) throw columnUnknown(name, stranger, schema.names.map(String));
    return tableInfo(name, schema, known);
  }

  async #schema(table: FilesTable, signal: AbortSignal): Promise<arrow.Schema> {
    const { shape } = await this.#describe(table, signal);
    return schemaOf(this.#context.duckdb, shape, signal);
  }

  async #describe(table: FilesTable, signal: AbortSignal): Promise<Described> {
    if (table.problem !== undefined) throw table.problem;
    const found = new Map<string, FileShape | null>();
    let wholeBytes = SNIFFED_WHOLE_BYTES;
    for (const file of table.files) {
      const seen = await fingerprint(file, { now: this.#context.now(), signal });
      const isWhole = seen.sizeBytes <= wholeBytes;
      if (isWhole) wholeBytes -= seen.sizeBytes;
      found.set(file, await this.#shapeOf(file, table, { seen, isWhole, signal }));
    }
    const shapes = [...found.values()].filter((one) => one !== null);
    // The names of a file without rows count, but its types mean nothing.
    const telling = shapes.filter((one) => !one.isEmpty).map((one) => one.shape);
    const merged = await mergeShapes(this.#context.duckdb, telling, table.format, signal);
    const names = new Map(shapes.flatMap((one) => [...one.shape]));
    const shape = new Map([...merged, ...[...names].filter(([name]) => !merged.has(name))]);
    if (shape.size === 0) {
      throw new AgnesError("file_unreadable", {
        path: table.path,
        reason: "it is empty, so its columns are unknown",
      });
    }
    for (const [column, type] of Object.entries(table.settings.types ?? {})) {
      if (!shape.has(column)) throw columnUnknown(table.name, column, [...shape.keys()]);
      shape.set(column, type);
    }
    return { shape, files: new Map([...found].map(([file, one]) => [file, one?.shape ?? null])) };
  }

  async #shapeOf(
    file: string,
    table: FilesTable,
    {
      seen,
      isWhole,
      signal,
    }: { readonly seen: Fingerprint; readonly isWhole: boolean; readonly signal: AbortSignal },
  ): Promise<FileShape | null> {
    const key = digest([{ ...seen }, table.format, JSON.stringify(table.reading), isWhole]);
    const known = this.#shapes.get(file);
    if (known?.key === key) return known.shape;
    const options = { sizeBytes: seen.sizeBytes, isWhole, signal };
    const shape = await shapeOf(this.#context.duckdb, file, table.reading, options);
    this.#shapes.set(file, { key, shape });
    return shape;
  }

  async #look(
    table: FilesTable,
    shape: Shape,
    before: ReadState | null,
    { columns, filter, signal }: ReadOptions,
  ): Promise<ReadState> {
    const conditions = JSON.stringify([columns ?? null, filter ?? null], (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    const reading = digest([[...shape], JSON.stringify(table.reading), conditions]);
    const files = new Map<string, Fingerprint>();
    for (const file of table.files) {
      const origin = originOf(table, file);
      const now = this.#context.now();
      files.set(origin, await fingerprint(file, { now, before: before?.files.get(origin), signal }));
    }
    return { reading, files };
  }
}

/** One file for DuckDB to read, with the types of the whole table. */
function chunkOf(table: FilesTable, file: string, origin: string, own: Shape, whole: Shape): FileChunk {
  const { format, csv } = table.reading;
  const common = { kind: "file", data: file, origin } as const;
  if (format === "parquet") return { ...common, format };
  const types = Object.fromEntries([...own.keys()].map((name) => [name, whole.get(name)!]));
  return format === "csv" || format === "tsv"
    ? { ...common, format: "csv", csv, types }
    : { ...common, format, types };
}

/** Stands in for a table with a bad file: listing the others goes on, and only the reading of this one fails. */
function unreadableTable(name: string, error: AgnesError): TableInfo {
  return tableInfo(name, { unreadable: utf8() }, { description: `Cannot be read: ${error.message}` });
}

function isUnreadable(error: unknown): error is AgnesError {
  const codes = [
    "file_unreadable",
    "file_failed",
    "source_files_mixed",
    "source_path_empty",
    "source_format_unknown",
  ];
  return error instanceof AgnesError && codes.includes(error.code);
}

function columnUnknown(table: string, column: string, known: readonly string[]): AgnesError {
  return new AgnesError("source_column_unknown", { table, column, known });
}
