import type { CsvDialect } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { checkedSelect } from "../checked-values.ts";
import type { OpenFile } from "../open-file.ts";
import type { CsvHead } from "./head.ts";
import type { PlainRows } from "./plain-rows.ts";
import { csvRelation } from "./relation.ts";
import { refuseReopenedQuotes } from "./reopened-quotes.ts";
import { TextCsvFile, type CsvFileParts } from "./text-csv-file.ts";

/**
 * A file whose rows seem to be plain: DuckDB reads them by type, while `check` looks at them all. When they are not, or
 * one is plain and still too large, the texts are read.
 */
export class PlainCsvFile implements OpenFile {
  readonly #plain: PlainRows;
  readonly #texts: TextCsvFile;
  readonly #signal: AbortSignal | undefined;
  readonly #head: CsvHead;
  readonly #dialect: CsvDialect;
  readonly #select: string;
  #isText = false;
  readonly isEmpty = false;

  constructor(parts: CsvFileParts, plain: PlainRows) {
    const { head, columns, dialect, readable, options } = parts;
    this.#plain = plain;
    this.#texts = new TextCsvFile(parts);
    this.#signal = options.signal;
    this.#head = head;
    this.#dialect = dialect;
    const read = columns.map((column, at) =>
      (plain.types[at] ?? "VARCHAR") === "VARCHAR" ? column : { ...column, isValue: true },
    );
    this.#select = checkedSelect(csvRelation([readable], dialect, plain.types), read, dialect);
  }

  get present(): OpenFile["present"] {
    return this.#texts.present;
  }

  get select(): string {
    return this.#isText ? this.#texts.select : this.#select;
  }

  async check(): Promise<OpenFile> {
    if (await this.#plain.holds(this.#signal)) return this;
    await refuseReopenedQuotes(this.#head, this.#dialect, this.#signal);
    return this.#texts;
  }

  async retry(error: unknown): Promise<boolean> {
    if (this.#isText) return this.#texts.retry(error);
    this.#isText = true;
    return true;
  }

  explain(error: unknown): Promise<unknown> {
    return this.#texts.explain(error);
  }

  sortOut(connection: Connection): ReturnType<OpenFile["sortOut"]> {
    return this.#texts.sortOut(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#texts[Symbol.asyncDispose]();
  }
}
