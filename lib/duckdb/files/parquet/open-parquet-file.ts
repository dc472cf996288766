import { AgnesError, isAgnesError, JsonText } from "../../../base/mod.ts";
import type { FileColumn } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { endOfDayIn } from "../../end-of-day.ts";
import { quoteIdentifier, quoteLiteral } from "../../sql.ts";
import { helperNames } from "../checked-values.ts";
import { columnsByName, namesOfTable, originOf } from "../columns.ts";
import { constantValue } from "../constants.ts";
import { hostFile, type HostFile } from "../open-bytes.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk, RejectedRow } from "../opened-file.ts";
import { nameKnownColumns } from "../generated-names.ts";
import { both, castText, checkStored, checkText, MISFIT, PLAIN_NUMBERS, textOrNull } from "../text-types.ts";
import { formatType, parseType, type TypeTree } from "../type-tree.ts";
import { convertTo, sameAs } from "./convert.ts";
import { parquetColumns, type ParquetColumn } from "./file-columns.ts";
import { relationWithTexts } from "./nanosecond-times.ts";
import { parquetRelation } from "./relation.ts";
import { textOfTimes, timesWithinDay } from "./times.ts";
import { copyWithTimestamps } from "./timestamp-copy.ts";
import { unreadableValue } from "./unreadable.ts";
import { widerType } from "./widen.ts";

/** A column to read: its SQL, and the condition that the conversion is exact. */
interface ReadColumn {
  readonly column: FileColumn;
  readonly value: string;
  /** The SQL of the value in the file; `null` for a value from elsewhere. */
  readonly raw: string | null;
  readonly check: string | null;
  /** As `check`, over the names of a text and its value, for a text that is converted. */
  readonly checkNamed?: (text: string, value: string) => string | null;
  /** The condition that its times are in a day, and the text if they are not. */
  readonly times?: { readonly check: string; readonly text: string };
  /** Whether it contains JSON, whose numbers DuckDB would round in a struct. */
  readonly hasJson?: boolean;
}

/**
 * Opens a Parquet file; see `openFile`.
 *
 * @param others the paths of files with the same columns and without times of nanoseconds, whose rows `select` also reads
 */
export async function openParquetFile(
  chunk: ReadableChunk,
  options: OpenFileOptions,
  others: readonly string[] = [],
): Promise<OpenFile> {
  const { reading, constants = {} } = chunk;
  const { connection, signal, directory } = options;
  const file = hostFile(chunk, connection);
  const own = await parquetColumns(connection, file, { signal, directory });
  const known = columnsByName(reading.columns);
  const written = own.map((column) => column.written);
  const names = namesOfTable(nameKnownColumns({ file, written }, reading.columns), reading.columns);
  const columns = own.map((column, at) => ({
    ...withTimes(readColumn(file, column, known.get(names[at]!)), column.type),
    hasJson: /\bJSON\b/.test(formatType(column.type)),
  }));
  const fixed = Object.entries(constants).flatMap(([name, value]): ReadColumn[] => {
    const column = known.get(name);
    if (column === undefined || names.includes(name)) return [];
    return [{ column, value: constantValue(column, value), raw: null, check: null }];
  });
  const input =
    others.length === 0
      ? await readableParquet(file, own, options)
      : { relation: parquetRelation(file.path, ...others), close: async () => {} };
  return new OpenParquetFile(file, input, own.length === 0 ? [] : [...columns, ...fixed], options);
}

/** A Parquet file that DuckDB can read. */
interface ReadableParquet {
  readonly relation: string;
  close(): Promise<void>;
}

/** Makes a file readable: the file itself, or a temporary copy in which DuckDB can read all digits of its times. */
async function readableParquet(
  file: HostFile,
  own: readonly ParquetColumn[],
  { connection, directory, signal }: OpenFileOptions,
): Promise<ReadableParquet> {
  const places = own.flatMap(({ hasNanoseconds }, place) => (hasNanoseconds ? [place] : []));
  if (places.length === 0) return { relation: parquetRelation(file.path), close: async () => {} };
  const copy = await copyWithTimestamps(file, new Set(places), { directory, signal, isSparse: false });
  const close = async () => copy[Symbol.asyncDispose]();
  try {
    const types = new Map(places.map((place) => [own[place]!.name, own[place]!.type]));
    return { relation: await relationWithTexts(connection, copy.path, types, signal), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function readColumn(file: HostFile, own: ParquetColumn, column: FileColumn | undefined): ReadColumn {
  const outdated = (reason: string) =>
    new AgnesError("file_reading_outdated", { file: originOf(file), reason });
  const name = JSON.stringify(own.name);
  if (column === undefined) throw outdated(`it has a new column ${name}`);
  const written = quoteIdentifier(own.name);
  const raw = isText(own.type) ? textOrNull(column, written) : written;
  const to = parseType(column.type);
  if (own.isNull) return { column, value: `CAST(NULL AS ${column.type})`, raw, check: null };
  const isConfigured = column.isConfigured === true;
  if (!isConfigured && own.durations !== null && own.durations !== column.description) {
    throw outdated(`its column ${name} is declared as ${own.durations}`);
  }
  const wider = isConfigured ? to : widerType(to, own.type);
  if (wider === null || formatType(wider) !== formatType(to)) {
    throw outdated(`its column ${name} is ${formatType(own.type)}, not ${column.type}`);
  }
  if (isConfigured && isText(own.type) && to.kind === "scalar") {
    const value = castText(column, raw, PLAIN_NUMBERS);
    const checkNamed = (text: string, named: string) => checkText(column, text, named, PLAIN_NUMBERS);
    return { column, value, raw, check: checkNamed(raw, value), checkNamed };
  }
  const value = convertTo(raw, own.type, to);
  const isOther = formatType(own.type) !== formatType(to);
  // A value that has this type in the file fails the statement without further details.
  const stored = isOther ? checkStored(column.type, value) : null;
  const late = endOfDayIn(value, column.type);
  const early = late === null ? null : `(${late}) IS NOT TRUE`;
  return { column, value, raw, check: both(both(sameAs(raw, own.type, to, isConfigured), stored), early) };
}

function withTimes(column: ReadColumn, type: TypeTree): ReadColumn {
  const { raw, check } = column;
  const times = raw === null ? null : timesWithinDay(raw, type);
  if (raw === null || times === null) return column;
  return {
    ...column,
    check: check === null ? times : `CASE WHEN ${times} IS NOT FALSE THEN ${check} ELSE false END`,
    times: { check: times, text: textOfTimes(raw, type, `(${times}) IS NOT FALSE`) },
  };
}

const isText = (type: TypeTree) => type.kind === "scalar" && type.name === "VARCHAR";

class OpenParquetFile implements OpenFile {
  readonly #file: HostFile;
  readonly #readable: ReadableParquet;
  readonly #columns: readonly ReadColumn[];
  readonly #options: OpenFileOptions;

  constructor(
    file: HostFile,
    readable: ReadableParquet,
    columns: readonly ReadColumn[],
    options: OpenFileOptions,
  ) {
    this.#file = file;
    this.#readable = readable;
    this.#columns = columns;
    this.#options = options;
  }

  get present(): OpenFile["present"] {
    return this.#columns.map(({ column: { name, type } }) => ({ name, type }));
  }

  get isEmpty(): boolean {
    return this.#columns.length === 0;
  }

  get select(): string {
    if (this.isEmpty) return "SELECT NULL AS agnes_nothing WHERE false";
    const { relation } = this.#readable;
    const names = this.#columns.map(({ column }) => quoteIdentifier(column.name));
    const { text: textName } = helperNames(this.#columns);
    const checksOfRaw: string[] = [];
    const checksOfText: string[] = [];
    const values = this.#columns.flatMap(({ value, raw, check, checkNamed }, at) => {
      const named = checkNamed?.(textName(at), names[at]!) ?? null;
      if (named !== null) checksOfText.push(named);
      else if (check !== null) checksOfRaw.push(check);
      return [...(named === null ? [] : [`${raw} AS ${textName(at)}`]), `${value} AS ${names[at]}`];
    });
    const read = `SELECT ${values.join(", ")} FROM ${relation}${orFail(checksOfRaw)}`;
    if (checksOfText.length === 0) return read;
    // The inner query casts and the outer query compares, so that nothing is cast twice.
    return `SELECT ${names.join(", ")} FROM (${read})${orFail(checksOfText)}`;
  }

  async explain(error: unknown): Promise<unknown> {
    if (this.#options.signal?.aborted === true || !isAgnesError(error)) return error;
    if (!isAgnesError(error, "duckdb_failed")) return error;
    const isMisfit = /agnes: a value|conver|cast|out of range|could not/i.test(JSON.stringify(error.details));
    const first = isMisfit ? await this.#firstMisfit() : undefined;
    if (first === undefined) return this.#unreadable(error);
    const { name, type } = this.#columns[Number(first.agnes_column)]!.column;
    const details = { file: originOf(this.#file), line: null, column: name, value: first.agnes_value, type };
    return new AgnesError("file_value_invalid", details, { cause: error });
  }

  /** Finds the first misfit; fails if a value cannot be read at all. */
  async #firstMisfit(): Promise<Misfit | undefined> {
    try {
      const sql = `${this.#misfits} LIMIT 1`;
      const [first] = await this.#options.connection.rows<Misfit>(sql, this.#statement);
      return first;
    } catch (error) {
      if (!isAgnesError(error, "duckdb_failed")) throw error;
      return undefined;
    }
  }

  #unreadable(error: AgnesError): Promise<AgnesError> {
    const columns = this.#columns.flatMap(({ column: { name }, raw, value, times }) =>
      raw === null ? [] : [{ name, value: times?.text ?? value }],
    );
    const what = { relation: parquetRelation(this.#file.path), file: originOf(this.#file), columns };
    return unreadableValue(this.#options.connection, error, what, this.#statement);
  }

  async separateRejected(connection: Connection): ReturnType<OpenFile["separateRejected"]> {
    const columns = this.#columns;
    const sql = this.#misfits;
    const statement = this.#statement;
    const rejected = async function* (): AsyncGenerator<RejectedRow> {
      const { batches } = await connection.stream(sql, statement);
      for await (const batch of batches) {
        for (const row of batch) {
          const misfit = row.toJSON() as unknown as Misfit;
          const { name, type } = columns[Number(misfit.agnes_column)]!.column;
          yield {
            row: Number(misfit.agnes_row),
            column: name,
            value: misfit.agnes_value,
            reason: `it is not ${type}`,
            record: new JsonText(misfit.agnes_record),
          };
        }
      }
    };
    const bad = this.#bad.map(({ sql: one }) => one).join(" OR ") || "false";
    const select = `SELECT ${this.#values} FROM ${this.#readable.relation} WHERE NOT (${bad})`;
    return { select, rejected: rejected() };
  }

  async setMisfitsToNull(connection: Connection): ReturnType<OpenFile["setMisfitsToNull"]> {
    const bad = this.#bad;
    const { relation } = this.#readable;
    const conditions = new Map(bad.map(({ at, sql }) => [at, sql]));
    const values = this.#columns.map(({ column, value }, at) => {
      const condition = conditions.get(at);
      const kept = condition === undefined ? value : `CASE WHEN NOT ${condition} THEN TRY(${value}) END`;
      return `${kept} AS ${quoteIdentifier(column.name)}`;
    });
    const select = `SELECT ${values.join(", ")} FROM ${relation}`;
    const facts = bad.map(({ at, text, sql }) => {
      const example = `first(${text}) FILTER (WHERE ${sql})`;
      return `{place: ${at}, number: count(*) FILTER (WHERE ${sql}), example: ${example}}`;
    });
    if (facts.length === 0) return { select, misfits: [] };
    const found = await connection.rows<{ place: number; number: bigint; example: string }>(
      `SELECT unnest(fact) FROM (SELECT unnest([${facts.join(", ")}]) AS fact FROM ${relation}) WHERE fact.number > 0`,
      this.#statement,
    );
    const misfits = found.map(({ place, number, example }) => {
      const { name, type } = this.#columns[place]!.column;
      return { column: name, type, values: Number(number), example };
    });
    return { select, misfits };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readable.close();
  }

  get #statement(): { readonly signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  get #values(): string {
    return this.#columns.map(({ column, value }) => `${value} AS ${quoteIdentifier(column.name)}`).join(", ");
  }

  /** The columns that may not fit, each with the condition that it does not. */
  get #bad(): readonly BadColumn[] {
    return this.#columns.flatMap(({ raw, value, check, column, times }, at) => {
      if (raw === null || (check === null && column.isConfigured !== true)) return [];
      const isRight = check === null ? "true" : `(${check}) IS NOT FALSE`;
      const holds = `TRY(${value}) IS NOT NULL AND TRY(${isRight})`;
      const fits = times === undefined ? holds : `CASE WHEN (${times.check}) IS NOT FALSE THEN ${holds} END`;
      return [
        {
          at,
          text: times?.text ?? `CAST(${raw} AS VARCHAR)`,
          sql: `(${raw} IS NOT NULL AND NOT coalesce(${fits}, false))`,
        },
      ];
    });
  }

  get #misfits(): string {
    const bad = this.#bad;
    const column = `CASE ${bad.map(({ at, sql }) => `WHEN ${sql} THEN ${at}`).join(" ")} END`;
    const value = `CASE ${bad.map(({ text, sql }) => `WHEN ${sql} THEN ${text}`).join(" ")} END`;
    if (bad.length === 0) return "SELECT NULL AS agnes_row WHERE false";
    const record = this.#columns
      .flatMap(({ column: { name }, raw, hasJson, times }) => {
        if (raw === null) return [];
        const safe = times === undefined ? raw : `CASE WHEN (${times.check}) IS NOT FALSE THEN ${raw} END`;
        return [`${quoteLiteral(name)}: ${hasJson === true ? `CAST(${safe} AS VARCHAR)` : safe}`];
      })
      .join(", ");
    return `SELECT agnes_row, ${column} AS agnes_column, ${value} AS agnes_value, CAST(to_json({${record}}) AS VARCHAR) AS agnes_record
      FROM (SELECT row_number() OVER () AS agnes_row, r.* FROM ${this.#readable.relation} r) t
      WHERE ${column} IS NOT NULL ORDER BY agnes_row`;
  }
}

/** The WHERE that fails at a row for which one of the conditions is false. */
function orFail(checks: readonly string[]): string {
  if (checks.length === 0) return "";
  const all = checks.map((check) => `(${check})`).join(" AND ");
  return ` WHERE CASE WHEN (${all}) IS NOT FALSE THEN true ELSE error(${quoteLiteral(MISFIT)}) END`;
}

/** A column that may not fit: its index, the SQL of its text, and the condition that it does not fit. */
interface BadColumn {
  readonly at: number;
  readonly text: string;
  readonly sql: string;
}

interface Misfit {
  readonly agnes_row: bigint;
  readonly agnes_column: number;
  readonly agnes_value: string;
  readonly agnes_record: string;
}
