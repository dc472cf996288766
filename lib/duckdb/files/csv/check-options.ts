import { AgnesError, isAgnesError, reasonOf } from "../../../base/mod.ts";
import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { quoteLiteral } from "../../sql.ts";

const DELIMITER_BYTES_MAX = 4;

/**
 * Refuses options that contradict each other, or that DuckDB cannot read by.
 * @throws `invalid_input` naming the option
 */
export function checkCsvOptions(csv: CsvOptions): void {
  const { delimiter, quote = '"', escape = quote, comment = "", names } = csv;
  const { decimalSeparator = ".", thousandsSeparator = "" } = csv;
  if (delimiter !== undefined) {
    if (/[\r\n]/.test(delimiter)) refuse("delimiter", "a line end cannot separate values");
    if (Buffer.byteLength(delimiter) > DELIMITER_BYTES_MAX) refuse("delimiter", "it has more than 4 bytes");
  }
  for (const [option, character] of Object.entries({ quote, escape, comment })) {
    if (Buffer.byteLength(character) > 1) refuse(option, "it must be one ASCII character");
  }
  for (const [option, separator] of Object.entries({ decimalSeparator, thousandsSeparator })) {
    if (/[0-9eE+\-\\\r\n]/.test(separator)) refuse(option, "it can be part of a number");
  }
  if (/%[HIMSfgnpTXc]/.test(csv.dateFormat ?? "")) {
    refuse("dateFormat", "it holds a time of day; csv.timestampFormat is for that");
  }
  if (decimalSeparator === "") refuse("decimalSeparator", "it is empty");
  if (decimalSeparator === thousandsSeparator) {
    refuse("thousandsSeparator", `it is also what stands before the fraction; set csv.decimalSeparator, too`);
  }
  const folded = names?.map((name) => name.toLowerCase()) ?? [];
  if (folded.some((name, at) => name === "" || folded.indexOf(name) !== at)) {
    refuse("names", "a name is empty or comes twice; case does not count");
  }
}

const refuse = (option: string, reason: string): never => {
  throw new AgnesError("invalid_input", { what: `csv.${option}`, reason });
};

/**
 * Refuses options that contradict each other or what was found in the files.
 * @throws `invalid_input` naming the option
 */
export function checkDialect({ delimiter, quote, escape, nullValues }: CsvDialect, csv: CsvOptions): void {
  const isIn = (character: string) => character !== "" && delimiter.includes(character);
  const shownDelimiter = JSON.stringify(delimiter);
  for (const [option, character] of Object.entries({ quote, escape })) {
    if (!isIn(character)) continue;
    if (csv.delimiter !== undefined) refuse("delimiter", `it holds the quote or the escape`);
    refuse(option, `it is also in the delimiter of the files, ${shownDelimiter}`);
  }
  for (const text of nullValues) {
    const what = text.includes(delimiter)
      ? "delimiter"
      : quote !== "" && text.includes(quote)
        ? "quote"
        : null;
    if (what !== null) refuse("nullValues", `${JSON.stringify(text)} holds the ${what}`);
  }
}

/**
 * Refuses formats of dates that DuckDB does not have.
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
      const what = reasonOf(error).replace(/^Failed to parse format specifier .*?: (?=[A-Z])/s, "");
      const reason = `${JSON.stringify(format)} is no format of strptime: ${what}; write, for example, ${EXAMPLES[option]}`;
      throw new AgnesError("invalid_input", { what: `csv.${option}`, reason }, { cause: error });
    }
  }
}

const EXAMPLES = { dateFormat: "%d.%m.%Y", timestampFormat: "%d.%m.%Y %H:%M:%S" } as const;
