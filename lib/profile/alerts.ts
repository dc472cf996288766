import { counted } from "../base/mod.ts";
import { BALANCED_MAX } from "./sample.ts";
import type { ColumnAlert, TypeCategory } from "./types.ts";

/** The facts about a column that its alerts depend on. */
export interface AlertFacts {
  readonly category: TypeCategory;
  readonly rows: number;
  /** The values that are not null. */
  readonly filled: number;
  readonly different: number;
  readonly zeros: number;
  /** The most frequent value in the sample, and the values of the sample; null: not known. */
  readonly top: { readonly value: string; readonly count: number; readonly of: number } | null;
  readonly isSampled: boolean;
}

/** Returns the alerts of a column. */
export function alertsOf(facts: AlertFacts): readonly ColumnAlert[] {
  const { rows, filled, different } = facts;
  return [
    ...missing(rows, rows - filled),
    ...(filled > 1 && different === 1
      ? [{ type: "constant", message: `all ${counted(filled, "value")} are equal` } as const]
      : []),
    ...(filled > 1 && different === filled ? [unique(facts)] : highCardinality(facts)),
    ...imbalance(facts),
    ...zeros(facts),
  ];
}

function missing(rows: number, nulls: number): readonly ColumnAlert[] {
  const share = rows === 0 ? 0 : nulls / rows;
  if (share <= 0.05) return [];
  const message = `${percent(share)} of the values are null`;
  return [{ type: share > 0.3 ? "high_missing" : "missing", message }];
}

function unique({ filled, isSampled }: AlertFacts): ColumnAlert {
  const message = isSampled
    ? `all ${counted(filled, "value")} seem to differ, by an estimate`
    : `all ${counted(filled, "value")} differ`;
  return { type: "unique", message };
}

function highCardinality({ category, filled, different, isSampled }: AlertFacts): readonly ColumnAlert[] {
  if (category !== "STRING" || different <= filled / 2) return [];
  const about = isSampled ? "about " : "";
  return [
    { type: "high_cardinality", message: `${about}${percent(different / filled)} of the texts differ` },
  ];
}

function imbalance({ different, top }: AlertFacts): readonly ColumnAlert[] {
  if (top === null || different < 2 || different > BALANCED_MAX || top.count <= 0.6 * top.of) return [];
  const message = `one of ${counted(different, "value")} makes up ${percent(top.count / top.of)}`;
  return [{ type: "imbalance", message }];
}

function zeros({ filled, zeros: count }: AlertFacts): readonly ColumnAlert[] {
  if (count <= filled / 2) return [];
  return [{ type: "zeros", message: `${percent(count / filled)} of the values are zero` }];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
