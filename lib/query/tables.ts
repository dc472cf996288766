import { distance } from "fastest-levenshtein";

import { AgnesError, formatValue, type SqlPlace } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import type { TableUse } from "../sql/mod.ts";
import type { PlacedTable } from "./parse-select.ts";
import { refuse } from "./refuse.ts";

/** The tables one session may see, by the names SQL gives them. */
export class TableNames {
  readonly tables: readonly AnalyticsTable[];
  readonly #byName = new Map<string, AnalyticsTable>();

  /** @param granted ids or view names, in any case; null grants all */
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
   * The table that is called so: by its view name or as `source.table`.
   * @param place where SQL names it
   * @throws `table_unknown`
   */
  find(name: string, place?: SqlPlace): AnalyticsTable {
    const table = this.#byName.get(name.toLowerCase());
    // A table that is not granted gets the same answer as one that does not exist.
    if (table === undefined)
      throw new AgnesError("table_unknown", {
        table: name,
        known: this.#nearest(name),
        more: Math.max(0, this.tables.length - SUGGESTIONS),
        ...(place === undefined ? {} : { place }),
      });
    return table;
  }

  /** The tables that SQL names. @throws `table_unknown`, `sql_not_allowed` for a name that DuckDB does not see there */
  resolve(uses: readonly PlacedTable[]): readonly AnalyticsTable[] {
    const found = uses.map((use) => {
      if (use.isOutOfSight === true && !this.#byName.has(nameOf(use).toLowerCase())) {
        refuse(
          `the values of its PIVOT come from ${formatValue(use.name)}, a common table expression that is not visible there`,
          "Define it in the subquery: PIVOT table ON column IN (WITH name AS (…) SELECT … FROM name).",
          use.place,
        );
      }
      return this.find(nameOf(use), use.place);
    });
    return [...new Set(found)];
  }

  /** As `resolve`, leaving out what is not ours. */
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

/** `main` is where view names are. */
function nameOf(use: TableUse): string {
  return use.schema === "" || use.schema.toLowerCase() === "main" ? use.name : `${use.schema}.${use.name}`;
}
