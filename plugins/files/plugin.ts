import {
  AgnesError,
  definePlugin,
  table as tableInfo,
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
  lookAtFiles,
  parseState,
  planRead,
  writeState,
  type Fingerprint,
  type ReadState,
} from "./changes.ts";
import { limitsOf, type DecompressionLimits } from "./decompression-limits.ts";
import { filesOptions, type FilesOptions } from "./options.ts";
import { mergeShapes, schemaOf, shapeOf, SNIFFED_WHOLE_BYTES, type FileShape, type Shape } from "./shape.ts";
import { listTables, lookAgain, originOf, type FilesTable } from "./tables.ts";
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
        const bad = [...tables.values()].filter((one) => one.problem !== undefined).length;
        const rest = bad === 0 ? "" : `; ${bad} of them cannot be read`;
        return { ok: true, message: `${tables.size} tables in ${files} files${where}${rest}` };
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

  readonly #limits: DecompressionLimits;
  /** The tables as they were listed last, so that reading one does not list them all again. */
  #listed: ReadonlyMap<string, FilesTable> | undefined;

  constructor(context: ConnectContext<FilesOptions, Record<never, never>>) {
    this.#context = context;
    this.#limits = limitsOf(context.options);
  }

  async tables(signal: AbortSignal): Promise<ReadonlyMap<string, FilesTable>> {
    signal.throwIfAborted();
    const { options, resolvePath } = this.#context;
    this.#listed = await listTables(options, resolvePath);
    return this.#listed;
  }

  async *discover(signal: AbortSignal): AsyncGenerator<TableInfo> {
    for (const [name, table] of await this.tables(signal)) {
      try {
        yield await this.#info(name, table, signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof AgnesError)) throw error;
        yield unreadableTable(table, error);
      }
    }
  }

  async *read(info: TableInfo, options: ReadOptions): AsyncGenerator<Batch, ReadEnd> {
    const { signal } = options;
    const listed = this.#listed?.get(info.name) ?? (await this.tables(signal)).get(info.name);
    const table = listed && (await lookAgain(listed));
    if (table === undefined || table === null) {
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
      await checkWhole(file, signal, this.#limits);
      yield chunkOf(table, file, origin, fileShape, shape);
    }
    return { state, kept: plan.kept };
  }

  async #info(name: string, table: FilesTable, signal: AbortSignal): Promise<TableInfo> {
    const { primaryKey = [], description } = table.settings;
    const { notes } = table;
    const known = {
      primaryKey,
      ...(description === undefined ? {} : { description }),
      ...(notes.length === 0 ? {} : { notes }),
    };
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
    const files = table.files.map((file) => [originOf(table, file), file] as const);
    const { now } = this.#context;
    return { reading, files: await lookAtFiles(files, { now, before: before?.files, signal }) };
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

/** Stands in for a table that cannot be read: listing the others goes on. */
function unreadableTable({ name, isLeftOut, notes }: FilesTable, problem: AgnesError): TableInfo {
  return tableInfo(
    name,
    {},
    { problem, ...(isLeftOut === true ? { isLeftOut } : {}), ...(notes.length === 0 ? {} : { notes }) },
  );
}

function columnUnknown(table: string, column: string, known: readonly string[]): AgnesError {
  return new AgnesError("source_column_unknown", { table, column, known });
}
