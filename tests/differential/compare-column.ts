import { sameJson } from "./compare-json.ts";
import { compareMoments } from "./compare-moments.ts";
import { exactNumber } from "./exact-number.ts";
import type { Cell, HeldCell } from "./model.ts";

/**
 * How the values of a column differ from the cells that were written. What a type may stand for:
 * text for the same text, a number for a numeral in its canonical form that is exactly as great, a boolean for true
 * and false, a day or moment for texts that all denote it in one order of day and month. Empty text is NULL.
 */
export function compareColumn(
  type: string,
  cells: readonly Cell[],
  values: readonly (string | null)[],
): readonly string[] {
  const faults: string[] = [];
  for (const [at, cell] of cells.entries()) {
    const value = values[at]!;
    if ((cell.kind === "null") !== (value === null)) faults.push(fault(at, cell, value));
  }
  if (faults.length > 0) return faults;
  const held = cells.flatMap((cell, at) => (cell.kind === "null" ? [] : [{ at, cell, value: values[at]! }]));
  if (/^(?:DATE|TIME|TIMESTAMP)\b/.test(type) && !type.includes("[")) {
    const isText = held.every(({ cell }) => cell.kind !== "nested" && cell.kind !== "number");
    return isText ? compareMoments(type, held) : [`a value that is no text became ${type}`];
  }
  const isSame = comparisonFor(type);
  return held
    .filter(({ cell, value }) => !isSame(cell, value))
    .map(({ at, cell, value }) => fault(at, cell, value));
}

type Comparison = (cell: HeldCell, value: string) => boolean;

function comparisonFor(type: string): Comparison {
  if (/[[(]/.test(type) && !type.startsWith("DECIMAL(")) return isSameNested;
  if (type === "JSON") return isSameNested;
  if (type === "BOOLEAN") {
    return (cell, value) =>
      cell.kind !== "string" && cell.kind !== "number" && cell.text.toLowerCase() === value;
  }
  if (/^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DECIMAL.*|DOUBLE|FLOAT)$/.test(type)) {
    return (cell, value) => cell.kind !== "string" && isSameNumber(cell, value);
  }
  // Text, and types such as UUID that show nothing but their text. A number of JSON is no more than its value.
  return (cell, value) => {
    if (cell.kind === "nested") return sameJson(cell.text, value);
    return cell.text === value || (cell.kind === "number" && isSameNumber(cell, value));
  };
}

/** JSON has the types of its own values; of CSV, only text that is JSON itself can be read so. */
function isSameNested(cell: HeldCell, value: string): boolean {
  if (cell.kind === "text") return cell.text === value;
  if (cell.kind === "string") return sameJson(JSON.stringify(cell.text), value);
  return sameJson(cell.text, value);
}

/** No leading zero, plus sign, underscore, space or hex; an exponent only after one digit, or with a point. */
const NUMERAL = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)$|^-?(?:\d|\d*\.\d*)e[+-]?\d+$/i;

function isSameNumber({ kind, text }: HeldCell, value: string): boolean {
  // A number of JSON or Parquet is one however it is written; a text of CSV may be meant otherwise.
  if (kind !== "number" && !NUMERAL.test(text)) return false;
  const exact = exactNumber(text);
  return exact !== null && exact === exactNumber(value);
}

function fault(row: number, cell: Cell, value: string | null): string {
  const written = cell.kind === "null" ? "nothing" : `the ${cell.kind} ${JSON.stringify(cell.text)}`;
  return `row ${row + 1} has ${written} and shows ${value === null ? "NULL" : JSON.stringify(value)}`;
}
