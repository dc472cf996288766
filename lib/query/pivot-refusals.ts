/** The reason and remedy for a PIVOT that DuckDB does not support. */
interface PivotRefusal {
  readonly reason?: string;
  readonly advice: string;
}

/**
 * Returns the remedy for a PIVOT that DuckDB cannot parse.
 * @param before the SQL before the place of the error
 */
export function parseRefusal(reason: string, before: string): PivotRefusal | null {
  const [, value] = /^Cannot serialize non-constant expression '([\s\S]*)' in pivot list/.exec(reason) ?? [];
  if (value !== undefined) {
    return {
      reason: `the IN list of its PIVOT contains ${value}, which is not a constant`,
      advice: "List constants, or use one subquery for all values: PIVOT table ON column IN (SELECT …).",
    };
  }
  if (/\bpivot\b[\s\S]*\bfor\b[\s\S]*\bin\s*\(\s*$/i.test(before)) {
    return {
      advice:
        "PIVOT (… FOR column IN …) does not support subqueries: write PIVOT table ON column IN (SELECT …) USING ….",
    };
  }
  return null;
}

/** Returns the remedy for a PIVOT that fails at run time. @param isPivot whether the SQL has a PIVOT without listed values */
export function runRefusal(reason: string, isPivot: () => boolean): PivotRefusal | null {
  if (reason.startsWith("PIVOT IN list - inconsistent amount of rows")) {
    return {
      reason: `the ON clause of PIVOT does not support one list of values for several columns (${reason})`,
      advice:
        "Write FROM table PIVOT (sum(x) FOR (a, b) IN ((1, 'x'), (2, 'y'))), or list the values of each column: ON a IN (1, 2), b IN ('x', 'y').",
    };
  }
  const [limit] = /^Pivot column limit of \d+ exceeded/.exec(reason) ?? [];
  if (limit !== undefined) {
    return {
      reason: limit,
      advice: "List fewer values with ON column IN ('a', 'b'), or use a subquery with LIMIT.",
    };
  }
  if (reason.startsWith("SELECT list is empty after resolving * expressions") && isPivot()) {
    return {
      reason: "its PIVOT finds no values and has no other columns, so the result would have no columns",
      advice: "Keep a column with GROUP BY, or list the values: PIVOT table ON column IN ('a', 'b').",
    };
  }
  if (reason === "The query must return a single column" && isPivot()) {
    return {
      reason: "the subquery for the values of its PIVOT returns several columns instead of one",
      advice: "Select one column, such as PIVOT table ON a || b IN (SELECT a || b FROM table).",
    };
  }
  return null;
}
