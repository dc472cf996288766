/** What is told of a PIVOT that DuckDB itself does not run. */
interface PivotRefusal {
  readonly reason?: string;
  readonly advice: string;
}

/**
 * For SQL that DuckDB does not read.
 * @param before what stands before the place
 */
export function parseRefusal(reason: string, before: string): PivotRefusal | null {
  const [, value] = /^Cannot serialize non-constant expression '([\s\S]*)' in pivot list/.exec(reason) ?? [];
  if (value !== undefined) {
    return {
      reason: `its PIVOT lists ${value}, and DuckDB takes only constants there`,
      advice:
        "Write the values themselves, or one subquery for all of them: PIVOT table ON column IN (SELECT …).",
    };
  }
  if (/\bpivot\b[\s\S]*\bfor\b[\s\S]*\bin\s*\(\s*$/i.test(before)) {
    return {
      advice:
        "DuckDB takes no subquery in PIVOT (… FOR column IN …): write PIVOT table ON column IN (SELECT …) USING ….",
    };
  }
  return null;
}

/** For SQL that fails when it runs, or is bound. @param isPivot whether it has a PIVOT whose values the data tell */
export function runRefusal(reason: string, isPivot: () => boolean): PivotRefusal | null {
  if (reason.startsWith("PIVOT IN list - inconsistent amount of rows")) {
    return {
      reason: `DuckDB takes no list of values for several columns after ON (${reason})`,
      advice:
        "Write FROM table PIVOT (sum(x) FOR (a, b) IN ((1, 'x'), (2, 'y'))), or list each column: ON a IN (1, 2), b IN ('x', 'y').",
    };
  }
  const [limit] = /^Pivot column limit of \d+ exceeded/.exec(reason) ?? [];
  if (limit !== undefined) {
    return { reason: limit, advice: "Give fewer values: ON column IN ('a', 'b'), or a subquery with LIMIT." };
  }
  if (reason.startsWith("SELECT list is empty after resolving * expressions") && isPivot()) {
    return {
      reason: "its PIVOT finds no value and has no other column, so DuckDB has no column to give",
      advice: "Keep a column with GROUP BY, or list the values: PIVOT table ON column IN ('a', 'b').",
    };
  }
  if (reason === "The query must return a single column" && isPivot()) {
    return {
      reason: "the subquery for the values of its PIVOT has several columns, and DuckDB takes one",
      advice: "Select one column, such as PIVOT table ON a || b IN (SELECT a || b FROM table).",
    };
  }
  return null;
}
