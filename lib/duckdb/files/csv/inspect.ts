import { AgnesError, eachOf, isAgnesError } from "../../../base/mod.ts";
import type { CsvDialect, FileColumn, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../../sql.ts";
import {
  ambiguityNote,
  columnsByName,
  formatNote,
  namesOfTable,
  originOf,
  uniteColumns,
  type FoundText,
  type NamedColumns,
} from "../columns.ts";
import type { DecidedType } from "../decided-type.ts";
import { decideTextTypes, hasFormat } from "../text-decide.ts";
import { canWiden } from "../keep-kinds.ts";
import { keysOf, nameColumns, readingOfKeys } from "../generated-names.ts";
import { compressionOf, type HostFile } from "../open-bytes.ts";
import { checkFormats } from "./check-options.ts";
import { detectDialect } from "./dialect.ts";
import { explainCsvError, mayReadSequentially } from "./explain.ts";
import { readCsvHead, type CsvHead } from "./head.ts";
import { headerNotes } from "./header-notes.ts";
import { keepingLoneEscapes, refuseLoneEscapes } from "./lone-escapes.ts";
import { checkWidths, writtenNames } from "./names.ts";
import { openCsv, type OpenCsv } from "./open.ts";
import { csvRelation, textTypes, textColumn } from "./relation.ts";

/** The result of inspecting the CSV files of a table. */
export interface InspectedCsv {
  readonly dialect: CsvDialect | null;
  readonly columns: readonly FileColumn[];
  readonly perFile: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly string[];
  /** The first record that is not a row; the types are decided from the others. */
  readonly badRow?: AgnesError;
}

/** A file with the columns that it has. */
interface NamedCsv extends NamedColumns {
  readonly head: CsvHead;
  readonly sizeBytes: number;
}

/** Smaller tables are inspected whole before the first read; of larger ones, the start, and the read checks all values. */
const WHOLE_BYTES = 2 * 1024 * 1024;
/** Smaller files are always inspected whole. */
const SMALL_FILE_BYTES = 1024 * 1024;
const SAMPLE_ROWS = 20_000;
const HEADS_IN_PARALLEL = 8;
const FILES_PER_SCAN = 200;
/** The maximum number of columns per scan, which limits its memory. */
const COLUMNS_PER_SCAN = 250;

/** Decides how the CSV files of one table are read. */
export async function inspectCsv(
  connection: Connection,
  files: readonly HostFile[],
  options: InspectOptions,
): Promise<InspectedCsv> {
  const { csv = {}, known, types = {}, signal } = options;
  const heads = await eachOf(files, HEADS_IN_PARALLEL, (file) => readCsvHead(file, csv, signal));
  const filled = heads.filter((head) => !head.isEmpty);
  const empty = heads.filter((head) => head.isEmpty).map((head) => [head.file.path, []] as const);
  if (filled.length === 0) return { dialect: null, columns: [], perFile: new Map(empty), notes: [] };
  const { dialect, notes: dialectNotes } = detectDialect(filled, csv, known?.csv);
  await checkFormats(connection, csv);
  const isGuessed = csv.escape === undefined && known?.csv === undefined;
  const found = await eachOf(filled, HEADS_IN_PARALLEL, async (start) => {
    if (isGuessed) await refuseLoneEscapes(start, dialect, signal);
    const head = options.look === "columns" ? start : await keepingLoneEscapes(start, dialect, signal);
    const { file } = head;
    const written = writtenNames(head, dialect, csv.names);
    return { file, head, written, sizeBytes: (await file.files.stat(file.path))?.sizeBytes ?? 0 };
  });
  if (!dialect.header) checkWidths(found);
  const own = nameColumns(found, options);
  const all = uniteColumns(
    own.map(({ file, names }) => ({ file, names: [...names, ...Object.keys(file.constants ?? {})] })),
  );
  const namesOf = (files: readonly NamedCsv[]) =>
    new Map([...empty, ...files.map(({ file, names }) => [file.path, names] as const)]);
  if (options.look === "columns") {
    checkSharedColumns(own, known);
    return { dialect, columns: known?.columns ?? [], perFile: namesOf(own), notes: [] };
  }
  const names = namesOfTable(all, known?.columns ?? []);
  const named = own.map((file) => ({ ...file, names: namesOfTable(file.names, known?.columns ?? []) }));
  const perFile = namesOf(named);
  const keys = keysOf(named);
  const same = readingOfKeys(known, keys);
  const inspector = new ValueInspector(connection, named, dialect, { ...options, ...same });
  const before = columnsByName(same.known?.columns ?? []);
  const open = names.filter((name) => types[name] === undefined && !isFixed(before.get(name), options));
  const decided = await decideColumns(inspector, open, named, options);
  checkSharedColumns(named, known);
  const columns = names.map((name): FileColumn => {
    const was = before.get(name);
    const key = keys.get(name);
    // A column without values keeps its known type.
    const isKept = was !== undefined && (decided.get(name)?.isEmpty === true || isFixed(was, options));
    if (isKept) return was;
    const column = columnOf(name, types[name], decided.get(name), options);
    return key === undefined ? column : { ...column, key };
  });
  const notes = [...dialectNotes, ...headerNotes(named, csv), ...(await notesOf(inspector, decided, csv))];
  const { badRow } = inspector;
  return { dialect, columns, perFile, notes, ...(badRow === undefined ? {} : { badRow }) };
}

/**
 * Whether a column keeps its known type. Columns of dates in a configured format do, so a value in another form is an
 * error. So do columns that keep their kind and have no wider type of that kind.
 */
function isFixed(was: FileColumn | undefined, { csv = {}, keepKinds }: InspectOptions): boolean {
  if (was === undefined) return false;
  if (keepKinds === true && was.type !== "VARCHAR" && !canWiden(was)) return true;
  return was.isConfigured === true && was.format !== undefined && isConfiguredFormat(was.format, csv);
}

const isConfiguredFormat = (format: string, csv: NonNullable<InspectOptions["csv"]>): boolean =>
  format === csv.dateFormat || format === csv.timestampFormat;

/** The notes for users on the types of columns. */
async function notesOf(
  inspector: ValueInspector,
  decided: ReadonlyMap<string, DecidedType>,
  csv: NonNullable<InspectOptions["csv"]>,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const [name, { ambiguous, mismatch }] of decided) {
    if (ambiguous !== undefined) notes.push(ambiguityNote(name, ambiguous));
    if (mismatch === undefined) continue;
    const format = csv[mismatch]!;
    notes.push(formatNote(name, { option: mismatch, format }, await inspector.firstOther(name, format)));
  }
  return notes;
}

/** Rejects a file that has no column in common with the others of its table: its header may be missing. */
function checkSharedColumns(files: readonly NamedCsv[], known: InspectOptions["known"]): void {
  const others = files.length > 1 ? files[0]!.names : (known?.columns.map(({ name }) => name) ?? []);
  if (others.length === 0) return;
  const folded = (name: string) => name.toLowerCase();
  const seen = new Set([...others, ...(known?.columns.map(({ name }) => name) ?? [])].map(folded));
  for (const { file, names } of files) {
    if (!names.some((name) => seen.has(folded(name)))) {
      const advice = files.length > 1 ? "" : "; if its columns changed, run `agnes sync --full`";
      const reason = `it has no column in common with its table (${names.slice(0, 5).join(", ")}); its header may be missing${advice}`;
      throw new AgnesError("file_unreadable", { path: originOf(file), reason });
    }
    for (const name of names) seen.add(folded(name));
  }
}

/** Decides types from the start of the files, and from all values if the files are small, or if requested or needed. */
async function decideColumns(
  inspector: ValueInspector,
  names: readonly string[],
  files: readonly NamedCsv[],
  options: InspectOptions,
): Promise<ReadonlyMap<string, DecidedType>> {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (total <= WHOLE_BYTES) return inspector.decide(names, true);
  const start = await inspector.decide(names, false);
  // Columns that are text at the start stay text; empty and ambiguous ones may get a type from the rest.
  const isUndecided = ({ isEmpty, ambiguous }: DecidedType) => isEmpty || ambiguous !== undefined;
  const rest = names.filter((name) => {
    const found = start.get(name)!;
    return isUndecided(found) || (options.look === "whole" && found.type !== "VARCHAR");
  });
  return new Map([...start, ...(await inspector.decide(rest, true, start))]);
}

function columnOf(
  name: string,
  configured: string | undefined,
  decided: DecidedType | undefined,
  { csv = {} }: InspectOptions,
): FileColumn {
  if (configured !== undefined) {
    const type = configured.toUpperCase();
    const format =
      type === "DATE" ? csv.dateFormat : type.startsWith("TIMESTAMP") ? csv.timestampFormat : undefined;
    return { name, type: configured, isConfigured: true, ...(format === undefined ? {} : { format }) };
  }
  const { type, format } = decided!;
  return {
    name,
    type,
    ...(format === undefined ? {} : { format }),
    ...(format !== undefined && isConfiguredFormat(format, csv) ? { isConfigured: true } : {}),
  };
}

class ParallelReadError extends Error {}

/** Inspects the values of files. */
class ValueInspector {
  readonly #connection: Connection;
  readonly #files: readonly NamedCsv[];
  readonly #dialect: CsvDialect;
  readonly #options: InspectOptions;
  #badRow: AgnesError | undefined;

  constructor(
    connection: Connection,
    files: readonly NamedCsv[],
    dialect: CsvDialect,
    options: InspectOptions,
  ) {
    this.#connection = connection;
    this.#files = files;
    this.#dialect = dialect;
    this.#options = options;
  }

  /** The first record that was skipped because it is not a row. */
  get badRow(): AgnesError | undefined {
    return this.#badRow;
  }

  async decide(
    names: readonly string[],
    isWhole: boolean,
    hints?: ReadonlyMap<string, DecidedType>,
  ): Promise<ReadonlyMap<string, DecidedType>> {
    if (names.length === 0) return new Map();
    try {
      return await this.#attemptWithFallback(names, isWhole, hints);
    } catch (error) {
      // After an unclosed quote, records cannot be separated.
      const isRow = isAgnesError(error, "file_row_invalid") && !/quote/.test(error.details.reason);
      if (!isRow || this.#options.skipBadRows !== true || this.#badRow !== undefined) throw error;
      this.#badRow = error;
      return this.#attemptWithFallback(names, isWhole, hints);
    }
  }

  async #attemptWithFallback(
    names: readonly string[],
    isWhole: boolean,
    hints: ReadonlyMap<string, DecidedType> | undefined,
  ): Promise<ReadonlyMap<string, DecidedType>> {
    try {
      return await this.#attempt(names, isWhole, hints, false);
    } catch (error) {
      if (!(error instanceof ParallelReadError)) throw error;
      return this.#attempt(names, isWhole, hints, true);
    }
  }

  async #attempt(
    names: readonly string[],
    isWhole: boolean,
    hints: ReadonlyMap<string, DecidedType> | undefined,
    isSequential: boolean,
  ): Promise<ReadonlyMap<string, DecidedType>> {
    const { signal } = this.#options;
    const decided = new Map<string, DecidedType>();
    const opened = new Map<CsvHead, OpenCsv>();
    try {
      const groups: (readonly [NamedCsv, readonly OpenCsv[]])[] = [];
      for (const group of groupsOf(this.#files, isWhole)) {
        for (const { head, names: own } of group) {
          opened.set(
            head,
            await openCsv(head, this.#dialect, { signal, isSequential, copy: own.length === 1 }),
          );
        }
        groups.push([group[0]!, group.map(({ head }) => opened.get(head)!)]);
      }
      for (let from = 0; from < names.length; from += COLUMNS_PER_SCAN) {
        const some = names.slice(from, from + COLUMNS_PER_SCAN);
        const selects = groups.map(([first, files]) => this.#select(first, files, some, isWhole));
        for (const [name, type] of await this.#decideOf(selects, some, hints)) decided.set(name, type);
      }
      return decided;
    } catch (error) {
      const files = this.#files.map((file) => ({
        ...file,
        readPath: opened.get(file.head)?.path ?? file.head.file.path,
      }));
      if (!isSequential && (await mayReadSequentially(error, files, this.#dialect, signal)))
        throw new ParallelReadError();
      throw await explainCsvError(error, files, this.#dialect, signal);
    } finally {
      for (const one of opened.values()) await one.close();
    }
  }

  /** The first text of a column that does not match a format; `null` if all match. */
  async firstOther(name: string, format: string): Promise<FoundText | null> {
    for (const file of this.#files) {
      const search = (isSequential: boolean) => this.#firstOtherOf(file, { name, format, isSequential });
      const text = await search(false).catch(() => search(true));
      if (text !== null) return { file: file.head.file, text };
    }
    return null;
  }

  async #firstOtherOf(
    file: NamedCsv,
    {
      name,
      format,
      isSequential,
    }: { readonly name: string; readonly format: string; readonly isSequential: boolean },
  ): Promise<string | null> {
    const { signal } = this.#options;
    const opened = await openCsv(file.head, this.#dialect, {
      signal,
      isSequential,
      copy: file.names.length === 1,
    });
    try {
      const select = this.#select(file, [opened], [name], true);
      const sql = `SELECT v0 FROM ${select} WHERE v0 IS NOT NULL AND NOT coalesce(${hasFormat("v0", format)}, false) LIMIT 1`;
      const [row] = await this.#connection.rows<{ v0: string }>(sql, signal === undefined ? {} : { signal });
      return row?.v0 ?? null;
    } finally {
      await opened.close();
    }
  }

  #decideOf(
    selects: readonly string[],
    names: readonly string[],
    hints: ReadonlyMap<string, DecidedType> | undefined,
  ): Promise<ReadonlyMap<string, DecidedType>> {
    const { signal, csv = {}, fractions, keepKinds, known } = this.#options;
    const columns = new Map(names.map((name, at) => [name, `v${at}`]));
    return decideTextTypes(this.#connection, `(${selects.join(" UNION ALL ")})`, columns, {
      numbers: this.#dialect,
      ...(fractions === undefined ? {} : { fractions }),
      dateFormat: csv.dateFormat,
      timestampFormat: csv.timestampFormat,
      ...(hints === undefined ? {} : { hints }),
      ...(keepKinds === true && known !== undefined ? { keep: columnsByName(known.columns) } : {}),
      signal,
    });
  }

  #select(first: NamedCsv, files: readonly OpenCsv[], names: readonly string[], isWhole: boolean): string {
    const badRecords = this.#badRow === undefined ? "fail" : "skip";
    const relation = csvRelation(files, this.#dialect, textTypes(first.names.length), badRecords);
    const constants = first.head.file.constants ?? {};
    const list = names.map((name, at) => {
      const place = first.names.indexOf(name);
      const constant = constants[name];
      const text = place !== -1 ? textColumn(place) : constant == null ? "NULL" : quoteLiteral(constant);
      return `CAST(${text} AS VARCHAR) AS ${quoteIdentifier(`v${at}`)}`;
    });
    const isSampled = !isWhole && first.sizeBytes > SMALL_FILE_BYTES;
    return `(SELECT ${list.join(", ")} FROM ${relation}${isSampled ? ` LIMIT ${SAMPLE_ROWS}` : ""})`;
  }
}

/** Groups files for one scan: those with the same columns, except large files of which only the start is read. */
function groupsOf(files: readonly NamedCsv[], isWhole: boolean): readonly (readonly NamedCsv[])[] {
  const groups = new Map<string, NamedCsv[]>();
  for (const file of files) {
    const isAlone = !isWhole && file.sizeBytes > SMALL_FILE_BYTES;
    const { file: input, needsCopy } = file.head;
    const layout = JSON.stringify([
      file.names,
      input.constants ?? null,
      needsCopy || file.names.length === 1 ? "copy" : compressionOf(input),
      isAlone ? input.path : null,
    ]);
    groups.set(layout, [...(groups.get(layout) ?? []), file]);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / FILES_PER_SCAN) }, (_, at) =>
      group.slice(at * FILES_PER_SCAN, (at + 1) * FILES_PER_SCAN),
    ),
  );
}
