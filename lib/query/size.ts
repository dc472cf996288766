import { AgnesError } from "../base/mod.ts";
import { placeAt } from "./place.ts";
import { refuse } from "./refuse.ts";
import { tokensOf } from "../duckdb/mod.ts";

/** The maximum length of SQL in characters. */
export const SQL_LENGTH_MAX = 1_000_000;

/** DuckDB needs about 30 µs to parse and plan one value of a list, and cannot be interrupted meanwhile. */
const TOKENS_MAX = 100_000;

/** DuckDB needs quadratic time to parse and plan conditions: 5,000 take about a second. */
const CONNECTIVES_MAX = 5_000;

/** @throws `sql_too_long` */
export function checkLength(sql: string): void {
  if (sql.length <= SQL_LENGTH_MAX) return;
  throw new AgnesError("sql_too_long", { length: sql.length, limit: SQL_LENGTH_MAX });
}

/**
 * Rejects SQL that DuckDB would parse and plan for a long time.
 * @throws `sql_too_long`, `sql_not_allowed`
 */
export function checkSize(sql: string): void {
  checkLength(sql);
  // Two operators are separated by a space or bracket and an operand, so most SQL need not be tokenized.
  if (sql.length < CONNECTIVES_MAX * 3) return;
  const tokens = tokensOf(sql);
  // DuckDB parses `1or` as a number and OR.
  const connectives = tokens.filter(({ text }) => /^(?:\d\w*)?(?:and|or)$/i.test(text));
  if (connectives.length > CONNECTIVES_MAX) {
    refuse(
      `it has more than ${CONNECTIVES_MAX.toLocaleString("en")} AND and OR operators`,
      "Use column IN (…) for many values, or put the values into a table and join it.",
      placeAt(sql, connectives[CONNECTIVES_MAX]!.start),
    );
  }
  if (tokens.length > TOKENS_MAX) {
    refuse(
      `it has more than ${TOKENS_MAX.toLocaleString("en")} tokens`,
      "Put long lists of values into a table and join it.",
      placeAt(sql, tokens[TOKENS_MAX]!.start),
    );
  }
}
