import { AgnesError, isAgnesError, JsonText, reasonOf, rowOfKept } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import {
  checkedSelect,
  fittingSelect,
  misfitsByColumn,
  misfitsSelect,
  nulledSelect,
  type TextColumn,
} from "../checked-values.ts";
import { originOf } from "../columns.ts";
import { mayWiden } from "../keep-kinds.ts";
import type { OpenFile, OpenFileOptions, RejectedRow } from "../opened-file.ts";
import { MISFIT } from "../text-types.ts";
import { explainCsvError, mayReadSequentially, problemOf, recordsOf } from "./explain.ts";
import type { CsvHead } from "./head.ts";
import { openCsv, type OpenCsv } from "./open.ts";
import { BAD_RECORDS, csvRelation, textTypes } from "./relation.ts";

/** The input of a CSV file's reader. */
export interface CsvFileParts {
  readonly head: CsvHead;
  readonly names: readonly string[];
  readonly columns: readonly TextColumn[];
  readonly dialect: CsvDialect;
  readonly readable: OpenCsv;
  readonly options: OpenFileOptions;
}

/** A file that is read as text; each text is compared with its converted value. */
export class TextCsvFile implements OpenFile {
  readonly #parts: CsvFileParts;
  #readable: OpenCsv;
  readonly isEmpty = false;

  constructor(parts: CsvFileParts) {
    this.#parts = parts;
    this.#readable = parts.readable;
  }

  get present(): OpenFile["present"] {
    return this.#parts.columns.map(({ column: { name, type } }) => ({ name, type }));
  }

  get select(): string {
    return checkedSelect(this.#relation(), this.#parts.columns, this.#parts.dialect);
  }

  async retry(error: unknown): Promise<boolean> {
    const { head, names, dialect, options } = this.#parts;
    if (this.#readable.isSequential === true) return false;
    const files = [{ head, names, readPath: this.#readable.path }];
    if (!(await mayReadSequentially(error, files, dialect, options.signal))) return false;
    await this.#readable.close();
    this.#readable = await openCsv(head, dialect, { ...options, isSequential: true });
    return true;
  }

  async explain(error: unknown): Promise<unknown> {
    const { head, names, dialect, options } = this.#parts;
    if (options.signal?.aborted === true || !isAgnesError(error)) return error;
    const explained = await explainCsvError(
      error,
      [{ head, names, readPath: this.#readable.path }],
      dialect,
      options.signal,
    );
    if (explained !== error) return explained;
    try {
      return (await this.#firstMisfit(error)) ?? error;
    } catch (other) {
      // The search for the value may find another error in the file.
      if (!isAgnesError(other)) throw other;
      return explainCsvError(
        other,
        [{ head, names, readPath: this.#readable.path }],
        dialect,
        options.signal,
      );
    }
  }

  async sortOut(connection: Connection): ReturnType<OpenFile["sortOut"]> {
    const { columns, dialect, options } = this.#parts;
    const bad = await this.#badRecords(connection);
    const relation = this.#relation("skip");
    const statement = options.signal === undefined ? {} : { signal: options.signal };
    const places = bad.map(({ row }) => row);
    const misfits = async function* (): AsyncGenerator<RejectedRow> {
      const { batches } = await connection.stream(misfitsSelect(relation, columns, dialect), statement);
      for await (const batch of batches) {
        for (const row of batch) {
          const misfit = rejectedRow(row.toJSON() as unknown as Misfit, columns, dialect);
          yield { ...misfit, row: rowOfKept(misfit.row, places) };
        }
      }
    };
    return { select: fittingSelect(relation, columns, dialect), rejected: inOrder(bad, misfits()) };
  }

  async setMisfitsToNull(connection: Connection): ReturnType<OpenFile["setMisfitsToNull"]> {
    const { columns, dialect, options } = this.#parts;
    const relation = this.#relation();
    const how = { numbers: dialect, signal: options.signal };
    const misfits = await misfitsByColumn(connection, relation, columns, how);
    return { select: nulledSelect(relation, columns, dialect), misfits };
  }

  /**
   * Returns the records with a wrong number of values.
   * @throws `file_row_invalid` for an unclosed quote, because it would include the rest of the file
   */
  async #badRecords(connection: Connection): Promise<readonly RejectedRow[]> {
    const { head, options } = this.#parts;
    const statement = options.signal === undefined ? {} : { signal: options.signal };
    // Reads all columns: DuckDB finds invalid text only in columns that it reads, and then drops the row without an error.
    await connection.run(`SELECT count(COLUMNS(*)) FROM ${this.#relation("keep")}`, statement);
    const found = await connection.rows<BadRecord>(
      `SELECT line, any_value(csv_line) AS text, any_value(error_type) AS kind, any_value(error_message) AS message
       FROM ${BAD_RECORDS} GROUP BY line ORDER BY line`,
    );
    await connection.run(`DROP TABLE ${BAD_RECORDS}; DROP TABLE agnes_bad_scans`);
    const open = found.find(({ kind }) => /QUOTE|UNICODE|LINE SIZE/.test(kind));
    if (open !== undefined) {
      const details = {
        file: originOf(head.file),
        line: Number(open.line),
        reason: open.message,
        text: open.text,
      };
      throw new AgnesError("file_row_invalid", details);
    }
    return found.length === 0 ? [] : this.#placesOf(found);
  }

  /**
   * Describes bad records with our own reader, which counts rows and knows the lines of the original file.
   *
   * @throws `file_unreadable` if the two readers disagree, because rows then have no reliable number
   */
  async #placesOf(found: readonly BadRecord[]): Promise<readonly RejectedRow[]> {
    const { head, names, dialect, options } = this.#parts;
    const rows: RejectedRow[] = [];
    let row = dialect.header ? -1 : 0;
    for await (const record of recordsOf(head, dialect, options.signal)) {
      row += 1;
      const reason = row === 0 ? null : problemOf(record, names.length);
      if (reason === null) continue;
      const { text = "" } = found[rows.length] ?? {};
      rows.push({ row, column: "", value: "", reason, record: { line: record.line, text } });
    }
    if (rows.length === found.length) return rows;
    const { line, message } = found[0]!;
    const reason = `line ${line}: ${message}`;
    throw new AgnesError("file_unreadable", { path: originOf(head.file), reason });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readable.close();
  }

  #relation(badRecords: "fail" | "skip" | "keep" = "fail"): string {
    const types = textTypes(this.#parts.names.length);
    return csvRelation([this.#readable], this.#parts.dialect, types, badRecords);
  }

  async #firstMisfit(cause: AgnesError): Promise<AgnesError | null> {
    const { head, columns, dialect, options } = this.#parts;
    const reason = reasonOf(cause);
    if (
      !reason.includes(MISFIT) &&
      !/conver|cast|could not parse|out of range|not in range|overflow/i.test(reason)
    )
      return null;
    const sql = `${misfitsSelect(this.#relation(), columns, dialect)} LIMIT 1`;
    const [misfit] = await options.connection.rows<Misfit>(
      sql,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    if (misfit === undefined) return null;
    const { column, value } = rejectedRow(misfit, columns, dialect);
    const line = await lineOfRow(head, dialect, Number(misfit.agnes_row), options.signal);
    const { type, format } = columns[misfit.agnes_column]!.column;
    const details = {
      file: originOf(head.file),
      line,
      column,
      value,
      type: format === undefined ? type : `${type} (${format})`,
    };
    return new AgnesError("file_value_invalid", details, { cause });
  }
}

/** Merges two lists of rows in file order. */
async function* inOrder(
  bad: readonly RejectedRow[],
  misfits: AsyncIterable<RejectedRow>,
): AsyncGenerator<RejectedRow> {
  let next = 0;
  for await (const misfit of misfits) {
    for (; next < bad.length && bad[next]!.row < misfit.row; next += 1) yield bad[next]!;
    yield misfit;
  }
  yield* bad.slice(next);
}

interface BadRecord {
  readonly line: bigint;
  readonly text: string;
  readonly kind: string;
  readonly message: string;
}

interface Misfit {
  readonly agnes_row: bigint;
  readonly agnes_column: number;
  readonly agnes_value: string | null;
  readonly agnes_record: string;
}

function rejectedRow(misfit: Misfit, columns: readonly TextColumn[], dialect: CsvDialect): RejectedRow {
  const { column } = columns[misfit.agnes_column]!;
  const { name, type, format } = column;
  const value = misfit.agnes_value ?? "";
  return {
    row: Number(misfit.agnes_row),
    column: name,
    value,
    ...(mayWiden(column, value, dialect) ? { widerThan: type } : {}),
    reason: `it is not ${format === undefined ? type : `${type} written as ${format}`}`,
    record: new JsonText(misfit.agnes_record),
  };
}

/** The line on which a row starts; `null` if the row is not found. */
async function lineOfRow(
  head: CsvHead,
  dialect: CsvDialect,
  row: number,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  let left = row + (dialect.header ? 1 : 0);
  for await (const { line } of recordsOf(head, dialect, signal)) {
    left -= 1;
    if (left === 0) return line;
  }
  return null;
}
