import { AgnesError } from "../../../base/mod.ts";
import type { CsvOptions } from "../../../kit/mod.ts";

const DELIMITER_BYTES_MAX = 4;

/**
 * Refuses options that contradict each other, or that DuckDB cannot read by.
 * @throws `invalid_input` naming the option
 */
export function checkCsvOptions(csv: CsvOptions): void {
  const { delimiter, quote = '"', escape = quote, comment = "", names, nullValues = [] } = csv;
  const { decimalSeparator = ".", thousandsSeparator = "" } = csv;
  const refuse = (option: string, reason: string): never => {
    throw new AgnesError("invalid_input", { what: `csv.${option}`, reason });
  };
  if (delimiter !== undefined) {
    if (/[\r\n]/.test(delimiter)) refuse("delimiter", "a line end cannot separate values");
    if (Buffer.byteLength(delimiter) > DELIMITER_BYTES_MAX) refuse("delimiter", "it has more than 4 bytes");
    if (delimiter === escape || delimiter === quote)
      refuse("delimiter", "it is also the quote or the escape");
    const odd = nullValues.find((text) => text.includes(delimiter));
    if (odd !== undefined) refuse("nullValues", `${JSON.stringify(odd)} holds the delimiter`);
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
