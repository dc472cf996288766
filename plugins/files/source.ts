import {
  AgnesError,
  table as tableInfo,
  type Batch,
  type ConnectContext,
  type Filter,
  type JsonValue,
  type ReadResult,
  type ReadOptions,
  type TableInfo,
} from "agnes/kit";

import { fingerprintFiles, parseState, planRead, writeState, type ReadState } from "./changes.ts";
import { limitsOf, type DecompressionLimits } from "./decompression-limits.ts";
import { Describer, type DescribedTable } from "./describe.ts";
import type { FilesOptions } from "./options.ts";
import { listTables, refreshTable, originOf, type FilesTable } from "./tables.ts";
import { checkWhole } from "./whole.ts";
import { errors } from "./errors.ts";

/** Lists, describes and reads the tables of a source. */
export class FilesSource {
  readonly #context: ConnectContext<FilesOptions, Record<never, never>>;
  readonly #limits: DecompressionLimits;
  readonly #describer: Describer;
  /** The tables of the last listing, so that reading one table does not list all of them again. */
  #listed: ReadonlyMap<string, FilesTable> | undefined;
  /** The last descriptions, so that reading a table does not describe it again. */
  readonly #described = new Map<string, DescribedTable>();
  /** The paths of compressed files that were checked. */
  readonly #whole = new Set<string>();

  constructor(context: ConnectContext<FilesOptions, Record<never, never>>) {
    this.#context = context;
    this.#limits = limitsOf(context.options);
    this.#describer = new Describer(context, (path, signal) => this.#checkWhole(path, signal));
  }

  async tables(signal: AbortSignal): Promise<ReadonlyMap<string, FilesTable>> {
    signal.throwIfAborted();
    this.#listed = await listTables(this.#context.options, this.#context);
    return this.#listed;
  }

  async *discover(signal: AbortSignal): AsyncGenerator<TableInfo> {
    for (const [name, table] of await this.tables(signal)) {
      try {
        const before = parseState(await this.#context.published(name));
        const described = await this.#describer.describe(table, before, signal);
        this.#described.set(name, described);
        yield infoOf(table, described);
      } catch (error) {
        if (signal.aborted) throw error;
        const problem =
          error instanceof AgnesError
            ? error
            : new AgnesError(
                "internal",
                { what: `describing table ${name}: ${String(error)}` },
                { cause: error },
              );
        yield unreadableTable(table, problem);
      }
    }
  }

  async redescribe(
    { name }: TableInfo,
    { signal, keepKinds = false }: { readonly signal: AbortSignal; readonly keepKinds?: boolean },
  ): Promise<TableInfo> {
    const table = await this.#table(name, signal);
    const reading = this.#described.get(name)?.reading;
    const before = parseState(await this.#context.published(name));
    const described = await this.#describer.describeWhole(table, { reading, before, keepKinds }, signal);
    this.#described.set(name, described);
    return infoOf(table, described);
  }

  async *read({ name }: TableInfo, options: ReadOptions): AsyncGenerator<Batch, ReadResult> {
    const { signal } = options;
    const table = await this.#table(name, signal);
    const before = parseState(options.state);
    const described = this.#described.get(name) ?? (await this.#describer.describe(table, before, signal));
    const fingerprintedAt = this.#context.now();
    const seen = await this.#fingerprint(table, described, before, options);
    const plan = planRead(before, seen);
    const changed = new Set(plan.changed);
    const { reading } = described;
    for (const file of table.files) {
      signal.throwIfAborted();
      const origin = originOf(table, file);
      if (!changed.has(origin)) continue;
      await this.#checkWhole(file, signal);
      const constants = described.constants.get(origin);
      yield {
        kind: "file",
        format: reading.format,
        data: file,
        origin,
        reading,
        ...(constants === undefined ? {} : { constants }),
      };
    }
    const columns = await this.#describer.columnsOf(table, described, seen.files, signal);
    const state = writeState({ ...seen, ...columns }, fingerprintedAt);
    return plan.isUnchanged ? { unchanged: true, state } : { state, kept: plan.kept };
  }

  async #table(name: string, signal: AbortSignal): Promise<FilesTable> {
    const listed = this.#listed?.get(name) ?? (await this.tables(signal)).get(name);
    const table = listed && (await refreshTable(listed));
    if (table === undefined || table === null) throw errors.table_gone({ table: name });
    if (table.problem !== undefined) throw table.problem;
    return table;
  }

  async #fingerprint(
    table: FilesTable,
    { reading }: DescribedTable,
    before: ReadState | null,
    { columns, filter, signal }: ReadOptions,
  ): Promise<ReadState> {
    const conditions = JSON.stringify([columns ?? null, filter?.map(identityOf) ?? null]);
    const files = table.files.map((file) => [originOf(table, file), file] as const);
    const { now } = this.#context;
    return {
      reading,
      settings: this.#describer.settingsOf(table),
      conditions,
      files: await fingerprintFiles(files, { now, before: before?.files, signal }),
    };
  }

  /** Checks each file once per run, because a known table would otherwise be decompressed twice. */
  async #checkWhole(path: string, signal: AbortSignal): Promise<void> {
    if (this.#whole.has(path)) return;
    try {
      await checkWhole(path, signal, this.#limits);
    } catch (error) {
      throw this.#named(error, path);
    }
    this.#whole.add(path);
  }

  /** Replaces the path in an error about a file's content with its origin, as in all other errors. */
  #named(error: unknown, path: string): unknown {
    const tables = [...(this.#listed?.values() ?? [])];
    const table = tables.find(({ files }) => files.includes(path));
    if (!(error instanceof AgnesError) || table === undefined) return error;
    if (error.code !== "file_unreadable" && error.code !== errors.decompression_limit.code) return error;
    return error.withDetails({ ...error.details, path: originOf(table, path) } as typeof error.details, {
      cause: error,
    });
  }
}

function infoOf(table: FilesTable, described: DescribedTable): TableInfo {
  const { schema, reading, bytesToRead, badRow } = described;
  const { primaryKey = [], description } = table.settings;
  const unknown = primaryKey.find((column) => !schema.names.includes(column));
  if (unknown !== undefined) {
    throw errors.column_unknown({
      table: table.name,
      column: unknown,
      known: schema.names.map(String),
    });
  }
  const notes = [...table.notes, ...(reading.notes ?? [])];
  return tableInfo(table.name, schema, {
    primaryKey,
    reading,
    ...(badRow === undefined ? {} : { problem: badRow, hasBadRows: true }),
    ...(bytesToRead === 0 ? {} : { estimatedBytes: bytesToRead }),
    ...(description === undefined ? {} : { description }),
    ...(notes.length === 0 ? {} : { notes }),
  });
}

/** Describes a table that cannot be read, so that discovery continues with the others. */
/** Returns JSON that is equal for equal conditions. */
function identityOf({ column, operator, values }: Filter): JsonValue {
  const typed = values.map((value) => [
    typeof value,
    value instanceof Date ? value.getTime() : String(value),
  ]);
  return [column, operator, typed];
}

function unreadableTable({ name, isSkipped, notes }: FilesTable, problem: AgnesError): TableInfo {
  return tableInfo(
    name,
    {},
    { problem, ...(isSkipped === true ? { isSkipped } : {}), ...(notes.length === 0 ? {} : { notes }) },
  );
}
