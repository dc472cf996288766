import { createHash } from "node:crypto";

import { bigintAsText } from "../../base/mod.ts";
import { defaultGranularity } from "../../tables/mod.ts";
import type { PublishedTable } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";

/**
 * The version of the merge rules. 2: all rows of a changed file are replaced, and tables with a key also read rows
 * whose cursor value is equal or null.
 */
const MERGE_RULES = 2;

/** The primary key that a published table was read with, from the registry or the source. */
export function publishedKey({ definition }: Pick<PublishedTable, "definition">): readonly string[] {
  const [, , , , key] = JSON.parse(definition) as readonly unknown[];
  return Array.isArray(key) ? key.map(String) : [];
}

/** The primary key and the cursor column of a definition. */
export function publishedVersions(table: Pick<PublishedTable, "definition">): {
  readonly key: readonly string[];
  readonly cursor: string | null;
} {
  const [, , , , , cursor] = JSON.parse(table.definition) as readonly unknown[];
  return { key: publishedKey(table), cursor: typeof cursor === "string" ? cursor : null };
}

/**
 * Everything that determines the rows and columns of a table, as text. If it changes, old and new parts are
 * incompatible and the table is read in full.
 */
export function definitionOf(plan: TablePlan): string {
  const { info, mode, query, strategy, primaryKey, cursor, columns, filter } = plan;
  const partition =
    strategy === "partitioned" ? [plan.partitionBy, plan.partitionGranularity ?? defaultGranularity] : [];
  // Tables that an earlier version merged by other rules are read in full once.
  const rules = strategy === "full_refresh" ? [] : [{ rules: MERGE_RULES }];
  // A full refresh reads the whole table anyway. The identity is hashed because only its changes matter.
  const { identity } = info;
  const from =
    strategy === "full_refresh" || identity === undefined ? [] : [{ identity: digestOf(identity) }];
  const history = plan.historyDays === undefined ? [] : [plan.historyDays];
  // The name of the table usually starts with its bucket.
  const isNamed = plan.bucket === undefined || info.name.startsWith(`${plan.bucket}.`);
  const place = isNamed ? [] : [{ bucket: plan.bucket }];
  const { sourceQuery = {}, limit } = plan;
  const isLimited = limit !== undefined || Object.keys(sourceQuery).length > 0;
  const selection = isLimited ? [{ sourceQuery, limit: limit ?? null }] : [];
  const parts = [
    info.name,
    mode,
    query,
    strategy,
    primaryKey,
    cursor,
    columns,
    filter,
    partition,
    ...history,
    ...rules,
    ...from,
    ...place,
    ...selection,
  ];
  return JSON.stringify(
    parts.map((part) => part ?? null),
    bigintAsText,
  );
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
