import { counted } from "../../base/mod.ts";
import type { FileColumn, FileReading } from "../../kit/mod.ts";
import type { SchemaChange } from "../format/extract-state.ts";
import { byFoldedName, folded } from "./folded.ts";

/** Describes how files are read: format, dialect and the formats of columns. */
function readingText({ format, csv, columns }: FileReading): string {
  const dialect =
    csv === undefined
      ? []
      : [
          `delimiter ${csv.delimiter === "\t" ? "tab" : csv.delimiter}`,
          csv.quote === "" ? "no quotes" : `quote ${csv.quote}`,
          ...(csv.escape === csv.quote ? [] : [`escape ${csv.escape}`]),
          csv.header ? "header" : "no header",
          `encoding ${csv.encoding}`,
          ...(csv.decimalSeparator === "." ? [] : [`decimal separator ${csv.decimalSeparator}`]),
          ...(csv.thousandsSeparator === "" ? [] : [`thousands separator ${csv.thousandsSeparator}`]),
          ...(csv.skipLines === 0 ? [] : [`${counted(csv.skipLines, "line")} skipped`]),
          ...(csv.comment === "" ? [] : [`comments begin with ${csv.comment}`]),
          ...(csv.nullValues.every((text) => text === "") ? [] : [`null is ${csv.nullValues.join(" or ")}`]),
          ...(csv.quotedNulls === false ? ["quoted values are not null"] : []),
        ];
  const formats = columns.flatMap(({ name, format: written }) =>
    written === undefined ? [] : [`${name} as ${written}`],
  );
  return [format, ...dialect, ...formats].join(", ");
}

/** Describes how files are read, including the VARCHAR columns whose values are JSON text. */
export function fullReadingText(reading: FileReading): string {
  const json = reading.columns.filter(isJson).map(({ name }) => `${name} as JSON text`);
  return [readingText(reading), ...json].join(", ");
}

const isJson = ({ type }: FileColumn) => type === "JSON";

/** Whether two readings return the same rows for the same file. Notes are not compared. */
export function sameReading(one: FileReading | undefined, other: FileReading | undefined): boolean {
  const decisive = (reading: FileReading | undefined) => {
    // Readings of earlier versions have no `quotedNulls`.
    const { quotedNulls = true, ...csv } = reading?.csv ?? {};
    return JSON.stringify([reading?.format, csv, quotedNulls, reading?.columns]);
  };
  return decisive(one) === decisive(other);
}

/** Whether read options changed that are never detected, only set in the options of the source. */
export function hasOtherOptions(before: FileReading | undefined, after: FileReading | undefined): boolean {
  const options = (reading: FileReading | undefined) => {
    const { decimalSeparator, thousandsSeparator, nullValues, quotedNulls = true } = reading?.csv ?? {};
    const { comment, skipLines } = reading?.csv ?? {};
    const numbers = [decimalSeparator, thousandsSeparator];
    return JSON.stringify([...numbers, nullValues, quotedNulls, comment, skipLines]);
  };
  return options(before) !== options(after);
}

/** Returns the changes of how files are read that the published column types do not show. */
export function readingChanges(
  before: FileReading | undefined,
  after: FileReading | undefined,
): readonly SchemaChange[] {
  if (before === undefined || after === undefined) return [];
  const [from, to] = [readingText(before), readingText(after)];
  const changes: SchemaChange[] = from === to ? [] : [{ kind: "reading_changed", from, to }];
  const old = byFoldedName(before.columns);
  for (const column of after.columns) {
    const was = old.get(folded(column.name));
    // Both may be published as VARCHAR, but their values are formatted differently.
    if (was === undefined || isJson(was) === isJson(column)) continue;
    changes.push({ kind: "type_changed", column: column.name, from: was.type, to: column.type });
  }
  return changes;
}
