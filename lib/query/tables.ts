import { distance } from "fastest-levenshtein";

import { AgnesError, formatValue, type SqlPlace } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import type { TableUse } from "../sql/mod.ts";
import type { PlacedTable } from "./parse-select.ts";
import { refuse } from "./refuse.ts";

/** The accessible tables, by their names in SQL. */
export class TableNames {
  readonly tables: readonly AnalyticsTable[];
  readonly #byName = new Map<string, AnalyticsTable>();

  /** @param granted ids or view names, case-insensitive; null: all tables */
  constructor(tables: readonly AnalyticsTable[], granted: ReadonlySet<string> | null) {
    const allowed = granted === null ? null : new Set([...granted].map((name) => name.toLowerCase()));
    this.tables = tables.filter(
      (table) =>
        allowed === null ||
        allowed.has(tableId(table).toLowerCase()) ||
        (table.viewName !== null && allowed.has(table.viewName.toLowerCase())),
    );
    for (const table of this.tables) {
      this.#byName.set(tableId(table).toLowerCase(), table);
      if (table.viewName !== null) this.#byName.set(table.viewName.toLowerCase(), table);
    }
  }

  /**
   * Returns the table with a view name or `source.table`.
   * @param place its place in the SQL
   * @throws `table_unknown`
   */
  find(name: string, place?: SqlPlace): AnalyticsTable {
    const table = this.#byName.get(name.toLowerCase());
    if (table === undefined) throw this.unknown(name, place);
    return table;
  }

  /** Returns the error of a name that is unknown or not accessible; both are the same. */
  unknown(name: string, place?: SqlPlace): AgnesError {
    return new AgnesError("table_unknown", {
      table: name,
      known: this.#nearest(name),
      more: Math.max(0, this.tables.length - SUGGESTIONS),
      ...(place === undefined ? {} : { place }),
    });
  }

  /** Returns the tables of a query. @throws `table_unknown`, `sql_not_allowed` for a name that is not visible there */
  resolve(uses: readonly PlacedTable[]): readonly AnalyticsTable[] {
    const found = uses.map((use) => {
      if (use.isOutOfScope === true && !this.#byName.has(nameOf(use).toLowerCase())) {
        refuse(
          `the values of its PIVOT come from ${formatValue(use.name)}, a common table expression that is not visible there`,
          "Define it in the subquery: PIVOT table ON column IN (WITH name AS (…) SELECT … FROM name).",
          use.place,
        );
      }
      // Names of views have no dots, so DuckDB would not find it, and would suggest names of all tables.
      if (isOneName(use) && use.name.includes("."))
        refuse(
          `${formatValue(use.name)} is quoted as one name`,
          'Write source.table, or "source"."table".',
          use.place,
        );
      // A place is computed when it is read.
      return this.#byName.get(nameOf(use).toLowerCase()) ?? this.find(nameOf(use), use.place);
    });
    return [...new Set(found)];
  }

  /** Like `resolve`, but skips unknown tables. */
  resolveKnown(uses: readonly TableUse[]): readonly AnalyticsTable[] {
    const found = uses.map((use) => this.#byName.get(nameOf(use).toLowerCase()));
    return [...new Set(found.filter((table) => table !== undefined))];
  }

  #nearest(name: string): readonly string[] {
    const folded = name.toLowerCase();
    const last = folded.split(".").at(-1)!;
    const score = (known: string) => {
      const other = known.toLowerCase();
      return Math.min(distance(folded, other), distance(last, other.split(".").at(-1)!));
    };
    return this.tables
      .map((table) => table.viewName ?? tableId(table))
      .map((known) => ({ known, score: score(known) }))
      .sort((a, b) => a.score - b.score || (a.known < b.known ? -1 : 1))
      .slice(0, SUGGESTIONS)
      .map(({ known }) => known);
  }
}

const SUGGESTIONS = 8;

function nameOf(use: TableUse): string {
  return isOneName(use) ? use.name : `${use.schema}.${use.name}`;
}

/** View names are in the schema `main`. */
function isOneName({ schema }: TableUse): boolean {
  return schema === "" || schema.toLowerCase() === "main";
}
