import type { Connection } from "../../connection.ts";
import { checkedSelect } from "../checked-values.ts";
import type { OpenFile } from "../opened-file.ts";
import type { PlainRows } from "./plain-rows.ts";
import { csvRelation } from "./relation.ts";
import { refuseReopenedQuotes } from "./reopened-quotes.ts";
import { TextCsvFile, type CsvFileParts } from "./text-csv-file.ts";

/**
 * A file whose rows seem to be plain: DuckDB reads them by type while `check` verifies all of them. If they are not plain,
 * or a plain value exceeds its type, the texts are read instead.
 */
export class PlainCsvFile implements OpenFile {
  readonly #plain: PlainRows;
  readonly #texts: TextCsvFile;
  readonly #parts: CsvFileParts;
  readonly #select: string;
  #isText = false;
  readonly isEmpty = false;

  constructor(parts: CsvFileParts, plain: PlainRows) {
    const { dialect, readable } = parts;
    this.#plain = plain;
    this.#texts = new TextCsvFile(parts);
    this.#parts = parts;
    this.#select = checkedSelect(csvRelation([readable], dialect, plain.types), plain.columns, dialect);
  }

  get present(): OpenFile["present"] {
    return this.#texts.present;
  }

  get select(): string {
    return this.#isText ? this.#texts.select : this.#select;
  }

  async check(): Promise<OpenFile> {
    const { head, dialect, options } = this.#parts;
    if (await this.#plain.holds(options.signal)) return this;
    await refuseReopenedQuotes(head, dialect, options.signal);
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

  separateRejected(connection: Connection): ReturnType<OpenFile["separateRejected"]> {
    return this.#texts.separateRejected(connection);
  }

  setMisfitsToNull(connection: Connection): ReturnType<OpenFile["setMisfitsToNull"]> {
    return this.#texts.setMisfitsToNull(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#texts[Symbol.asyncDispose]();
  }
}
