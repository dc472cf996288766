import { formatValue } from "../../base/mod.ts";
import { tokensOf } from "../../duckdb/mod.ts";
import { edited, indexBefore, type Edit } from "../text-edits.ts";
import { invalid, type ParamLiterals } from "./literals.ts";

/** A parameter in SQL: `$name`, `$1` or `?`. */
interface Parameter {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** SQL with values in place of its parameters. */
export interface PlacedSql {
  readonly sql: string;
  /** The SQL as entered. */
  readonly typed: string;
  /** Converts an index of `sql` to an index of the SQL as entered; null for a value. */
  readonly typedIndex: (index: number) => number | null;
}

const PARAMETER = /^\$(?:([1-9]\d*)|[\p{L}_][\p{L}\p{N}_]*)$/u;

/** Returns the parameters of SQL, as its tokens suggest. @throws `parameters_invalid` for parameters of both kinds */
export function parametersOf(sql: string): readonly Parameter[] {
  const found: Parameter[] = [];
  const kinds = new Set<string>();
  for (const { text, start, end } of tokensOf(sql)) {
    const match = text === "?" ? ["?"] : PARAMETER.exec(text);
    if (match === null) continue;
    const isNext = text === "?";
    kinds.add(isNext ? "?" : match[1] === undefined ? "$name" : "$1");
    found.push({ name: isNext ? String(found.length + 1) : text.slice(1), start, end });
  }
  if (kinds.size > 1) {
    const reason = `the SQL mixes parameters of the forms ${[...kinds].sort().join(" and ")}`;
    throw invalid(reason, "Write all as $name, all as $1, or all as ?.");
  }
  return found;
}

/**
 * Returns SQL with a text of its own in place of each parameter. If DuckDB's parser finds all of these texts as constants,
 * the places are those of parameters, and not in a comment, text or name.
 *
 * @param nonce a text that the SQL does not contain
 */
export function withMarks(sql: string, parameters: readonly Parameter[], nonce: string) {
  const marks = parameters.map((_, at) => `${nonce}${at}.`);
  const placed = placedWith(sql, parameters, (at) => `('${marks[at]!}')`);
  return {
    ...placed,
    /** @param trees what the parser returned @throws `parameters_invalid` */
    check(trees: readonly unknown[]): void {
      const text = JSON.stringify(trees);
      const missing = marks.findIndex((mark) => !text.includes(`"value":"${mark}"`));
      if (missing === -1) return;
      const name = sql.slice(parameters[missing]!.start, parameters[missing]!.end);
      throw invalid(
        `the SQL has ${formatValue(name)} at a place that cannot have a value`,
        "Use a parameter as a value only, separated from names and numbers by spaces.",
      );
    },
  };
}

/**
 * Returns SQL with the values of its parameters.
 * @throws `parameters_invalid` for a missing or an unused value
 */
export function withValues(
  sql: string,
  parameters: readonly Parameter[],
  literals: ParamLiterals,
): PlacedSql {
  const names = new Set(parameters.map(({ name }) => name));
  for (const name of names) {
    if (literals.has(name)) continue;
    throw invalid(`${formatValue(name)} of the SQL has no value`, "Pass a value for each parameter.");
  }
  for (const name of literals.keys()) {
    if (names.has(name)) continue;
    throw invalid(`${formatValue(name)} is not in the SQL`, "Remove its value, or write $name in the SQL.");
  }
  return placedWith(sql, parameters, (at) => literals.get(parameters[at]!.name)!);
}

function placedWith(
  sql: string,
  parameters: readonly Parameter[],
  textOf: (at: number) => string,
): PlacedSql {
  // Spaces keep words beside a parameter apart from a list.
  const edits: readonly Edit[] = parameters.map(({ start, end }, at) => ({
    start,
    end,
    text: ` ${textOf(at)} `,
  }));
  return { sql: edited(sql, edits), typed: sql, typedIndex: (index) => indexBefore(edits, index) };
}
