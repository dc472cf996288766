import { createHash } from "node:crypto";

import { bigintAsText } from "../../base/mod.ts";
import { defaultGranularity } from "../../tables/mod.ts";
import type { PublishedTable } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";

/** 2: rows of changed files are replaced whole, and rows with an equal or no cursor value come with a key. */
const MERGE_RULES = 2;

/** The primary key that a published table was read with, whoever gave it: the registry or the source. */
export function publishedKey({ definition }: Pick<PublishedTable, "definition">): readonly string[] {
  const [, , , , key] = JSON.parse(definition) as readonly unknown[];
  return Array.isArray(key) ? key.map(String) : [];
}

/** All that decides which rows and columns a table has; when it changes, parts of both kinds would not go together. */
export function definitionOf(plan: TablePlan): string {
  const { info, mode, query, strategy, primaryKey, cursor, columns, filter } = plan;
  const partition =
    strategy === "partitioned" ? [plan.partitionBy, plan.partitionGranularity ?? defaultGranularity] : [];
  // Rules that put parts together changed: what an earlier version published by others is read again once.
  const rules = strategy === "full_refresh" ? [] : [{ rules: MERGE_RULES }];
  // A full refresh reads all of it anyway. A hash, because nobody needs to see it.
  const { identity } = info;
  const from =
    strategy === "full_refresh" || identity === undefined ? [] : [{ identity: digestOf(identity) }];
  const history = plan.historyDays === undefined ? [] : [plan.historyDays];
  // Mostly the name of the table begins with its bucket, and says it already.
  const isNamed = plan.bucket === undefined || info.name.startsWith(`${plan.bucket}.`);
  const place = isNamed ? [] : [{ bucket: plan.bucket }];
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
  ];
  return JSON.stringify(
    parts.map((part) => part ?? null),
    bigintAsText,
  );
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
