import { AgnesError } from "../base/mod.ts";
import { placeAt } from "./place.ts";
import { refuse } from "./refuse.ts";
import { tokensOf } from "./tokens.ts";

/** The longest SQL that is read. */
const SQL_LENGTH_MAX = 1_000_000;

/** DuckDB needs about 30 µs of parsing and planning for one value of a list, and no interrupt ends that. */
const TOKENS_MAX = 100_000;

/** DuckDB parses and plans conditions in time that grows with the square of their number: 5,000 take about a second. */
const CONNECTIVES_MAX = 5_000;

/**
 * Refuses SQL that DuckDB would parse and plan for long, before it sees it.
 * @throws `sql_too_long`, `sql_not_allowed`
 */
export function checkSize(sql: string): void {
  if (sql.length > SQL_LENGTH_MAX) {
    throw new AgnesError("sql_too_long", { length: sql.length, limit: SQL_LENGTH_MAX });
  }
  // Two connectives have a space or bracket and a word between them, so that most SQL is not looked at.
  if (sql.length < CONNECTIVES_MAX * 3) return;
  const tokens = tokensOf(sql);
  // DuckDB reads `1or` as a number and a word.
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
