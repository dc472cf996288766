import { AgnesError, isAgnesError, reasonOf } from "../../../base/mod.ts";
import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { quoteLiteral } from "../../sql.ts";

const DELIMITER_BYTES_MAX = 4;

/**
 * Rejects options that contradict each other or that DuckDB does not support.
 * @throws `invalid_input` naming the option
 */
export function checkCsvOptions(csv: CsvOptions): void {
  const { delimiter, quote = '"', escape = quote, comment = "", names } = csv;
  const { decimalSeparator = ".", thousandsSeparator = "" } = csv;
  if (delimiter !== undefined) {
    if (/[\r\n]/.test(delimiter)) refuse("delimiter", "it contains a line end");
    if (Buffer.byteLength(delimiter) > DELIMITER_BYTES_MAX) refuse("delimiter", "it has more than 4 bytes");
  }
  for (const [option, character] of Object.entries({ quote, escape, comment })) {
    if (Buffer.byteLength(character) > 1) refuse(option, "it must be one ASCII character");
  }
  for (const [option, separator] of Object.entries({ decimalSeparator, thousandsSeparator })) {
    if (/[0-9eE+\-\\\r\n]/.test(separator)) refuse(option, "it can be part of a number");
  }
  if (/%[HIMSfgnpTXc]/.test(csv.dateFormat ?? "")) {
    refuse("dateFormat", "it contains a time of day; set csv.timestampFormat instead");
  }
  if (decimalSeparator === "") refuse("decimalSeparator", "it is empty");
  if (decimalSeparator === thousandsSeparator) {
    refuse("thousandsSeparator", `it equals the decimal separator; set csv.decimalSeparator, too`);
  }
  const folded = names?.map((name) => name.toLowerCase()) ?? [];
  if (folded.some((name, at) => name === "" || folded.indexOf(name) !== at)) {
    refuse("names", "a name is empty or repeated, ignoring case");
  }
}

const refuse = (option: string, reason: string): never => {
  throw new AgnesError("invalid_input", { what: `csv.${option}`, reason });
};

/**
 * Rejects options that contradict each other or the detected dialect.
 * @throws `invalid_input` naming the option
 */
export function checkDialect({ delimiter, quote, escape, nullValues }: CsvDialect, csv: CsvOptions): void {
  const isIn = (character: string) => character !== "" && delimiter.includes(character);
  const quotedDelimiter = JSON.stringify(delimiter);
  for (const [option, character] of Object.entries({ quote, escape })) {
    if (!isIn(character)) continue;
    if (csv.delimiter !== undefined) refuse("delimiter", `it contains the quote or the escape`);
    refuse(option, `it also occurs in the delimiter of the files, ${quotedDelimiter}`);
  }
  for (const text of nullValues) {
    const character = text.includes(delimiter)
      ? "delimiter"
      : quote !== "" && text.includes(quote)
        ? "quote"
        : null;
    if (character !== null) refuse("nullValues", `${JSON.stringify(text)} contains the ${character}`);
  }
}

/**
 * Rejects date formats that DuckDB does not support.
 * @throws `invalid_input` naming the option
 */
export async function checkFormats(connection: Connection, csv: CsvOptions): Promise<void> {
  for (const option of ["dateFormat", "timestampFormat"] as const) {
    const format = csv[option];
    if (format === undefined) continue;
    const text = quoteLiteral(format);
    try {
      await connection.rows(
        `SELECT try_strptime('2026-01-31', ${text}), strftime(TIMESTAMP '2026-01-31', ${text})`,
      );
    } catch (error) {
      if (!isAgnesError(error, "duckdb_failed")) throw error;
      const problem = reasonOf(error).replace(/^Failed to parse format specifier .*?: (?=[A-Z])/s, "");
      const reason = `${JSON.stringify(format)} is not a strptime format: ${problem}; a valid one is ${EXAMPLES[option]}`;
      throw new AgnesError("invalid_input", { what: `csv.${option}`, reason }, { cause: error });
    }
  }
}

const EXAMPLES = { dateFormat: "%d.%m.%Y", timestampFormat: "%d.%m.%Y %H:%M:%S" } as const;
