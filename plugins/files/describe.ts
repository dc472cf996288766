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

import { digest, lookAtFiles, planRead, type Fingerprint, type ReadState } from "./changes.ts";
import { tablePartitions, type Partitions } from "./hive.ts";
import type { FilesOptions } from "./options.ts";
import { originOf, type FilesTable } from "./tables.ts";
import { errors } from "./errors.ts";

/** How a table is read, and what is known of its files. */
export interface DescribedTable {
  readonly reading: FileReading;
  readonly schema: arrow.Schema;
  /** The columns of files by origin, as far as a look told: none for an empty file. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** The partition values of files by origin. */
  readonly constants: ReadonlyMap<string, Readonly<Record<string, string | null>>>;
  /** The bytes of the files that the next read takes in, as they are on the disk. */
  readonly bytesToRead: number;
  /** The first record that is no row, when the types had to be told from the others. */
  readonly badRow?: AgnesError;
}

/** What a look at all of a table takes into account. */
interface WholeLook {
  /** How it was described last. */
  readonly reading: FileReading | undefined;
  /** What its last read kept. */
  readonly before: ReadState | null;
  readonly keepKinds: boolean;
}

/** The columns of files as they are kept: each list of names once, and by origin which one. */
export type FileLayouts = Required<Pick<ReadState, "layouts" | "layoutOf">>;

/** Decides how tables are read: by what is known of them where nothing speaks against it. */
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

  /** All in the options that decides how a table is read. */
  settingsOf({ reading, settings, format }: FilesTable): string {
    const { hivePartitions = false, fractions = "decimal" } = this.#context.options;
    const asked = JSON.stringify([format, reading, settings.types ?? null]);
    return digest([asked, hivePartitions, fractions]);
  }

  /**
   * Describes a table. One of which no file changed is what it was; one of which files changed is, too, as long as
   * they have the columns that are known: their values are checked when they are read.
   */
  async describe(table: FilesTable, before: ReadState | null, signal: AbortSignal): Promise<DescribedTable> {
    if (table.problem !== undefined) throw table.problem;
    const isKnown = before !== null && before.settings === this.settingsOf(table);
    if (!isKnown) return this.#look(table, "start", undefined, signal);
    const constants = this.#constantsOf(table);
    const found = await this.#knownColumns(table, before, signal).catch((error: unknown) => {
      // A file has a column whose name was made for another one.
      if (error instanceof AgnesError && error.code === "file_reading_outdated") return null;
      throw error;
    });
    if (found === null) return this.#look(table, "start", before.reading, signal);
    const { columns, bytesToRead, isUnchanged } = found;
    const names = new Set([...columns.values()].flat().concat([...constants.values()].flatMap(Object.keys)));
    const reading = isUnchanged
      ? before.reading
      : await this.#withNotesOfToday(table, before.reading, signal);
    const isSame =
      names.size === 0 ||
      (names.size === reading.columns.length && reading.columns.every(({ name }) => names.has(name)));
    if (!isSame) return this.#look(table, "start", reading, signal);
    const { schema } = await this.#context.duckdb.inspect([], {
      format: reading.format,
      known: reading,
      signal,
    });
    return { reading, schema, columns, constants, bytesToRead };
  }

  /**
   * Describes a table by every one of its values. Dates of a format that the options name stay dates if they were
   * published so; what only the start of the files told does not bind.
   *
   * With `keepKinds` columns stay of the kind that is published, or else of the kind that the start told.
   */
  describeWhole(
    table: FilesTable,
    { reading, before, keepKinds }: WholeLook,
    signal: AbortSignal,
  ): Promise<DescribedTable> {
    const published = before !== null && before.settings === this.settingsOf(table) ? before.reading : null;
    if (keepKinds) return this.#look(table, "whole", published ?? reading, signal, keepKinds);
    const known = published !== null || reading === undefined ? reading : withoutFormats(reading);
    return this.#look(table, "whole", known, signal);
  }

  /** What is to be kept of the columns of files, so that the next look can leave out those that do not change. */
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

  /**
   * The columns of all files: as they are known of those that did not change, and read off the others; and the bytes of
   * those that changed.
   */
  async #knownColumns(
    table: FilesTable,
    before: ReadState,
    signal: AbortSignal,
  ): Promise<Pick<DescribedTable, "columns" | "bytesToRead"> & { readonly isUnchanged: boolean }> {
    const { now } = this.#context;
    const files = table.files.map((file) => [originOf(table, file), file] as const);
    const seen = { ...before, files: await lookAtFiles(files, { now, before: before.files, signal }) };
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

  /** A reading whose notes are about the files as they are: dates may no longer be ambiguous, a value be corrected. */
  async #withNotesOfToday(
    table: FilesTable,
    reading: FileReading,
    signal: AbortSignal,
  ): Promise<FileReading> {
    const { notes = [], ...rest } = reading;
    if (notes.length === 0) return reading;
    try {
      const { reading: today } = await this.#look(table, "start", reading, signal);
      return today.notes === undefined ? rest : { ...rest, notes: today.notes };
    } catch (error) {
      // Reading the files tells what is wrong with them.
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

  async #look(
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

/** A reading whose dates may be found to be something else. */
function withoutFormats(reading: FileReading): FileReading {
  const columns = reading.columns.map((column) =>
    column.format === undefined ? column : { ...column, given: false },
  );
  return { ...reading, columns };
}

const LOOKS = 32;

/** The bytes of files; one that is gone meanwhile has none, and the read will name it. */
async function bytesOf(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  const queue = paths.values();
  const work = async () => {
    for (const path of queue) {
      const found = await stat(path).catch(() => null);
      bytes += found?.size ?? 0;
    }
  };
  await Promise.all(Array.from({ length: LOOKS }, work));
  return bytes;
}
