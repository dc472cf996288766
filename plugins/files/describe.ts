import { stat } from "node:fs/promises";
import { basename } from "node:path";

import {
  AgnesError,
  type arrow,
  type ConnectContext,
  type FileInput,
  type FileReading,
  type InspectOptions,
} from "agnes/kit";

import { digest, fingerprintFiles, planRead, type Fingerprint, type ReadState } from "./changes.ts";
import { tablePartitions, type Partitions } from "./hive.ts";
import type { FilesOptions } from "./options.ts";
import { originOf, type FilesTable } from "./tables.ts";
import { errors } from "./errors.ts";

/** How a table is read, and the known columns of its files. */
export interface DescribedTable {
  readonly reading: FileReading;
  readonly schema: arrow.Schema;
  /** The columns of files by origin, as far as they are known. Empty files are missing. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** The partition values of files by origin. */
  readonly constants: ReadonlyMap<string, Readonly<Record<string, string | null>>>;
  /** The size on disk of the files that the next read copies. */
  readonly bytesToRead: number;
  /** The first record that is not a row, if the types were decided from the other records. */
  readonly badRow?: AgnesError;
}

/** The input of `describeWhole`. */
interface WholeInput {
  /** The reading of the last description. */
  readonly reading: FileReading | undefined;
  /** The state of the last read. */
  readonly before: ReadState | null;
  readonly keepKinds: boolean;
}

/** The columns of files as the state keeps them: each list of names once, and its index by origin. */
export type FileLayouts = Required<Pick<ReadState, "layouts" | "layoutOf">>;

/** Decides how tables are read. The published reading is kept if the files still fit it. */
export class Describer {
  readonly #context: ConnectContext<FilesOptions, Record<never, never>>;
  readonly #checkWhole: (path: string, signal: AbortSignal) => Promise<void>;

  constructor(
    context: ConnectContext<FilesOptions, Record<never, never>>,
    checkWhole: (path: string, signal: AbortSignal) => Promise<void>,
  ) {
    this.#context = context;
    this.#checkWhole = checkWhole;
  }

  /** A digest of the options that affect how a table is read. */
  settingsOf({ reading, settings, format }: FilesTable): string {
    const { hivePartitions = false, fractions = "decimal" } = this.#context.options;
    const configured = JSON.stringify([format, reading, settings.types ?? null]);
    return digest([configured, hivePartitions, fractions]);
  }

  /**
   * Describes a table. It keeps the published reading if no file changed, or if the changed files have the known columns:
   * the read then checks their values.
   */
  async describe(table: FilesTable, before: ReadState | null, signal: AbortSignal): Promise<DescribedTable> {
    if (table.problem !== undefined) throw table.problem;
    const isKnown = before !== null && before.settings === this.settingsOf(table);
    if (!isKnown) return this.#inspect(table, "start", undefined, signal);
    const constants = this.#constantsOf(table);
    const found = await this.#knownColumns(table, before, signal).catch((error: unknown) => {
      // A file has a column whose name was generated for another column.
      if (error instanceof AgnesError && error.code === "file_reading_outdated") return null;
      throw error;
    });
    if (found === null) return this.#inspect(table, "start", before.reading, signal);
    const { columns, bytesToRead, isUnchanged } = found;
    const names = new Set([...columns.values()].flat().concat([...constants.values()].flatMap(Object.keys)));
    const reading = isUnchanged
      ? before.reading
      : await this.#withCurrentNotes(table, before.reading, signal);
    const isSame =
      names.size === 0 ||
      (names.size === reading.columns.length && reading.columns.every(({ name }) => names.has(name)));
    if (!isSame) return this.#inspect(table, "start", reading, signal);
    const { schema } = await this.#context.duckdb.inspect([], {
      format: reading.format,
      known: reading,
      signal,
    });
    return { reading, schema, columns, constants, bytesToRead };
  }

  /**
   * Describes a table from all of its values. Published dates in a configured format stay dates. Types decided only from
   * the start of the files may change.
   *
   * With `keepKinds`, columns keep their published kind, otherwise the kind decided from the start of the files.
   */
  describeWhole(
    table: FilesTable,
    { reading, before, keepKinds }: WholeInput,
    signal: AbortSignal,
  ): Promise<DescribedTable> {
    const published = before !== null && before.settings === this.settingsOf(table) ? before.reading : null;
    if (keepKinds) return this.#inspect(table, "whole", published ?? reading, signal, keepKinds);
    const known = published !== null || reading === undefined ? reading : withoutFormats(reading);
    return this.#inspect(table, "whole", known, signal);
  }

  /** Returns the columns of files to keep, so that the next run skips unchanged files. */
  async columnsOf(
    table: FilesTable,
    { reading, columns }: DescribedTable,
    files: ReadonlyMap<string, Fingerprint>,
    signal: AbortSignal,
  ): Promise<FileLayouts> {
    const origins = new Set(files.keys());
    const missing = table.files.filter(
      (file) => origins.has(originOf(table, file)) && !columns.has(originOf(table, file)),
    );
    const found = missing.length === 0 ? [] : await this.#columnsOfFiles(table, missing, reading, signal);
    const layouts: string[][] = [];
    const places = new Map<string, number>();
    const layoutOf: Record<string, number> = {};
    for (const [origin, names] of [...columns, ...found]) {
      if (!origins.has(origin)) continue;
      const key = JSON.stringify(names);
      const place = places.get(key) ?? layouts.push([...names]) - 1;
      places.set(key, place);
      layoutOf[origin] = place;
    }
    return { layouts, layoutOf };
  }

  /** Returns the columns of all files, read only from changed files, and the size of the changed files. */
  async #knownColumns(
    table: FilesTable,
    before: ReadState,
    signal: AbortSignal,
  ): Promise<Pick<DescribedTable, "columns" | "bytesToRead"> & { readonly isUnchanged: boolean }> {
    const { now } = this.#context;
    const files = table.files.map((file) => [originOf(table, file), file] as const);
    const seen = { ...before, files: await fingerprintFiles(files, { now, before: before.files, signal }) };
    const plan = planRead(before, seen);
    const kept = plan.kept.flatMap((origin) => {
      const place = before.layoutOf?.[origin];
      const names = place === undefined ? undefined : before.layouts?.[place];
      return names === undefined ? [] : [[origin, names] as const];
    });
    const isKept = new Set(kept.map(([origin]) => origin));
    const others = files.filter(([origin]) => !isKept.has(origin)).map(([, file]) => file);
    const found = await this.#columnsOfFiles(table, others, before.reading, signal);
    const bytesToRead = plan.changed.reduce((sum, origin) => sum + seen.files.get(origin)!.sizeBytes, 0);
    return { columns: new Map([...kept, ...found]), bytesToRead, isUnchanged: plan.isUnchanged };
  }

  /** Updates the notes of a reading: dates may no longer be ambiguous, or a value may be corrected. */
  async #withCurrentNotes(
    table: FilesTable,
    reading: FileReading,
    signal: AbortSignal,
  ): Promise<FileReading> {
    const { notes = [], ...rest } = reading;
    if (notes.length === 0) return reading;
    try {
      const { reading: current } = await this.#inspect(table, "start", reading, signal);
      return current.notes === undefined ? rest : { ...rest, notes: current.notes };
    } catch (error) {
      // The read reports what is wrong with the files.
      if (signal.aborted || !(error instanceof AgnesError)) throw error;
      return reading;
    }
  }

  async #columnsOfFiles(
    table: FilesTable,
    files: readonly string[],
    known: FileReading,
    signal: AbortSignal,
  ): Promise<readonly (readonly [origin: string, names: readonly string[]])[]> {
    if (files.length === 0) return [];
    const inputs = files.map((file) => ({ path: file, origin: originOf(table, file) }));
    const options = { ...this.#options(table, known), look: "columns", signal } as const;
    const { columns } = await this.#context.duckdb.inspect(inputs, options);
    return inputs.flatMap(({ path, origin }) => {
      const names = columns.get(path);
      return names == null ? [] : [[origin, names] as const];
    });
  }

  async #inspect(
    table: FilesTable,
    look: "start" | "whole",
    known: FileReading | undefined,
    signal: AbortSignal,
    keepKinds = false,
  ): Promise<DescribedTable> {
    for (const file of table.files) await this.#checkWhole(file, signal);
    const constants = this.#constantsOf(table);
    const inputs = table.files.map((file): FileInput => {
      const origin = originOf(table, file);
      const own = constants.get(origin);
      return { path: file, origin, ...(own === undefined ? {} : { constants: own }) };
    });
    const options = { ...this.#options(table, known), look, skipBadRows: true, keepKinds, signal };
    const { reading, columns, schema, badRow } = await this.#context.duckdb.inspect(inputs, options);
    if (reading === null) {
      throw errors.files_empty({ path: basename(table.path), files: table.files.length });
    }
    const byOrigin = inputs.flatMap(({ path, origin }) => {
      const names = columns.get(path);
      return names == null ? [] : [[origin!, names] as const];
    });
    const bytesToRead = await bytesOf(table.files);
    const described = { reading, schema, columns: new Map(byOrigin), constants, bytesToRead };
    return badRow === undefined ? described : { ...described, badRow };
  }

  #options(table: FilesTable, known: FileReading | undefined): InspectOptions {
    const { format, csv } = table.reading;
    const { types } = table.settings;
    const { fractions } = this.#context.options;
    return {
      format: format === "tsv" ? "csv" : format,
      ...(format === "csv" || format === "tsv" ? { csv } : {}),
      ...(types === undefined ? {} : { types }),
      ...(fractions === undefined ? {} : { fractions }),
      ...(known === undefined ? {} : { known }),
    };
  }

  #constantsOf(table: FilesTable): DescribedTable["constants"] {
    if (this.#context.options.hivePartitions !== true) return new Map();
    const origins = table.files.map((file) => originOf(table, file));
    const found = tablePartitions(table.name, origins);
    return new Map(
      [...found].map(([origin, own]: readonly [string, Partitions]) => [origin, Object.fromEntries(own)]),
    );
  }
}

/** Returns the reading with date formats that may change. */
function withoutFormats(reading: FileReading): FileReading {
  const columns = reading.columns.map((column) =>
    column.format === undefined ? column : { ...column, isConfigured: false },
  );
  return { ...reading, columns };
}

const STATS_IN_PARALLEL = 32;

/** The total size of files, in bytes. A file removed in the meantime counts as 0; the read reports it. */
async function bytesOf(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  const queue = paths.values();
  const work = async () => {
    for (const path of queue) {
      const found = await stat(path).catch(() => null);
      bytes += found?.size ?? 0;
    }
  };
  await Promise.all(Array.from({ length: STATS_IN_PARALLEL }, work));
  return bytes;
}
