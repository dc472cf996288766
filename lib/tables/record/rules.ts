import type { Capability } from "../../kit/mod.ts";
import { AgnesError } from "../../base/mod.ts";
import { checkedQuery } from "./query-rules.ts";
import type { TableSettings } from "./settings.ts";
import type { SourceQueryForm } from "./source-query.ts";

/** An additional check of a table's merged settings. Throws to reject them. */
export type CheckTable = (table: TableSettings, id: string) => void;

/** A combination of settings that is not allowed. */
interface Rule {
  readonly fields: readonly string[];
  readonly broken: (table: TableSettings) => boolean;
  readonly reason: string;
  readonly instead: string;
}

const rules: readonly Rule[] = [
  {
    fields: ["query_mode", "source_query"],
    broken: (table) => table.sourceQuery !== null && table.queryMode !== "materialized",
    reason: "only a materialized table runs a query in its source",
    instead: "Use the mode materialized, or remove the query.",
  },
  {
    fields: ["source_table", "source_query"],
    broken: (table) => table.sourceTable === null && table.sourceQuery === null,
    reason: "neither is set, so there are no rows to read",
    instead: "Set source_table, or use the mode materialized and set source_query.",
  },
  {
    fields: ["sync_strategy", "partition_by"],
    broken: (table) => table.syncStrategy === "partitioned" && table.partitionBy === null,
    reason: "a partitioned table needs the column it is partitioned by",
    instead: "Set partition_by, or choose another strategy.",
  },
  {
    fields: ["query_mode", "sync_strategy"],
    broken: (table) => table.queryMode === "remote" && table.syncStrategy === "partitioned",
    reason: "a remote table is not copied, so there is nothing to partition",
    instead: "Use the mode local, or the strategy full_refresh.",
  },
  {
    fields: ["query_mode", "where_filters"],
    broken: (table) => table.queryMode === "remote" && table.whereFilters.length > 0,
    reason: "filters apply to copied tables, and a remote table is not copied",
    instead: "Use the mode local, or filter in the query.",
  },
  {
    fields: ["query_mode", "server_only"],
    broken: (table) => table.queryMode === "remote" && table.serverOnly,
    reason: "a remote table is not copied, so there is nothing to download",
    instead: "Use the mode local, or remove server_only.",
  },
  {
    fields: ["sync_strategy", "where_filters"],
    broken: (table) => table.syncStrategy !== "full_refresh" && table.whereFilters.length > 0,
    reason: "only changes are read, so rows that stop matching a filter would never be removed",
    instead: "Use the strategy full_refresh, or remove the filters.",
  },
  {
    fields: ["sync_strategy", "full_keys"],
    broken: (table) => table.syncStrategy === "full_refresh" && table.fullKeys !== null,
    reason: "a full refresh reads all rows, so it finds deleted rows at each sync",
    instead: "Use the strategy incremental or partitioned, or remove full_keys.",
  },
  {
    fields: ["quarantine", "invalid_values"],
    broken: (table) => table.quarantine && table.invalidValues === "set_null",
    reason: "a row with an invalid value cannot both be rejected and be published with a null",
    instead: "Set quarantine to false, or invalid_values to fail.",
  },
  {
    fields: ["columns", "primary_key"],
    broken: (table) => isMissing(table.columns, table.primaryKey),
    reason: "a column of the key is not among the columns that are read",
    instead: "Add the columns of the key to columns.",
  },
  {
    fields: ["columns", "partition_by"],
    broken: (table) => table.partitionBy !== null && isMissing(table.columns, [table.partitionBy]),
    reason: "the column is not among those that are read",
    instead: "Add it to columns.",
  },
  {
    fields: ["columns", "incremental_column"],
    broken: (table) =>
      table.incrementalColumn !== null && isMissing(table.columns, [table.incrementalColumn]),
    reason: "the column is not among those that are read",
    instead: "Add it to columns.",
  },
];

/**
 * Checks that the settings of a table do not contradict each other. Requires the merged settings, because a valid
 * change may contradict registered ones.
 *
 * @throws `table_contradiction`
 */
export function checkRules(table: TableSettings, id: string): void {
  for (const { fields, broken, reason, instead } of rules) {
    if (broken(table)) throw new AgnesError("table_contradiction", { id, fields, reason, instead });
  }
}

/**
 * Checks that the source of a table supports its settings.
 *
 * @param source the name of the plugin, its capabilities, which the table may restrict, and the form of its JSON queries, if
 * it declares `sourceQuery`
 * @throws `table_contradiction`, `source_query_invalid`
 */
export function checkSourceRules(
  table: TableSettings,
  id: string,
  source: {
    readonly plugin: string;
    readonly capabilities: readonly Capability[];
    readonly queryForm?: Omit<SourceQueryForm, "plugin">;
  },
): void {
  const can = (...capabilities: readonly Capability[]) =>
    capabilities.some((capability) => source.capabilities.includes(capability));
  const refuse = (fields: readonly string[], reason: string, instead: string): never => {
    throw new AgnesError("table_contradiction", { id, fields, reason, instead });
  };
  if (table.queryMode === "local" && !can("read", "stream")) {
    refuse(
      ["query_mode", "source"],
      `${source.plugin} cannot be read from`,
      insteadOf(can("remote", "query"), "remote"),
    );
  }
  if (table.queryMode === "remote" && !can("remote", "query", "read")) {
    refuse(["query_mode", "source"], `${source.plugin} cannot be queried`, insteadOf(can("stream"), "local"));
  }
  if (source.queryForm !== undefined) {
    checkedQuery(table, id, { plugin: source.plugin, ...source.queryForm });
  } else if (table.sourceQuery !== null && !can("query")) {
    refuse(
      ["source_query", "source"],
      `${source.plugin} does not run queries`,
      "Omit source_query and use the mode local, which copies the whole table; only a plugin with the capability query runs queries.",
    );
  }
}

function insteadOf(isPossible: boolean, mode: string): string {
  return isPossible ? `Use the mode ${mode}.` : "Use a source whose plugin can read or query tables.";
}

function isMissing(columns: readonly string[] | null, wanted: readonly string[]): boolean {
  return columns !== null && wanted.some((name) => !columns.includes(name));
}
