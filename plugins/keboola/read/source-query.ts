import type { ReadOptions } from "agnes/kit";
import * as v from "valibot";

import { errors } from "../errors.ts";
import { hasTimestamps } from "../tables/kinds.ts";
import type { StorageTable } from "../api/schemas.ts";

/** The end of the year 9999; more is a time in milliseconds. */
const SECONDS_MAX = 253_402_300_799;
const RULE = "should be Unix seconds, or an ISO 8601 date or time such as 2026-01-31 or 2026-01-31T10:00:00Z";

const time = (description: string, example: string) =>
  v.optional(
    v.pipe(
      v.union([v.number(RULE), v.string(RULE)], RULE),
      v.description(description),
      v.examples([example]),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        const seconds = secondsOf(dataset.value);
        if (typeof seconds === "number") return seconds;
        addIssue({ message: seconds.problem });
        return NEVER;
      }),
    ),
  );

/** The fields of `source_query` that Keboola itself applies; times are Unix seconds. */
export const keboolaQuery = v.pipe(
  v.strictObject({
    changed_since: time(
      "Only rows that were imported or changed at this time or later: Unix seconds, or ISO 8601, in UTC unless it has an offset",
      "{{last_month}}",
    ),
    changed_until: time("Only rows that were imported or changed before this time", "{{today}}"),
    file_type: v.optional(
      v.pipe(
        v.picklist(["csv", "parquet"], 'should be "csv" or "parquet"'),
        v.description(
          "The format of the exported files. Default: parquet, or csv if the stack does not export Parquet",
        ),
        v.examples(["csv"]),
      ),
    ),
  }),
  v.check(
    ({ changed_since: since = 0, changed_until: until = Infinity }) => since < until,
    "selects no row: changed_since is not before changed_until",
  ),
);

/** What a query requests of an export. */
export interface ExportQuery {
  /** Unix seconds, inclusive. */
  readonly changedSince?: number;
  /** Unix seconds, exclusive. */
  readonly changedUntil?: number;
  readonly fileType?: "csv" | "parquet";
}

/**
 * Returns what the query of a table requests.
 * @throws `keboola/changes_unknown` for times of changes that the table does not have
 */
export function exportQueryOf(
  { sourceQuery = {} }: Pick<ReadOptions, "sourceQuery">,
  table: StorageTable,
): ExportQuery {
  const {
    changed_since: changedSince,
    changed_until: changedUntil,
    file_type: fileType,
  } = v.parse(keboolaQuery, sourceQuery);
  const hasTimes = changedSince !== undefined || changedUntil !== undefined;
  // The backend would ignore them, or fail.
  if (hasTimes && !hasTimestamps(table)) throw errors.changes_unknown({ table: table.id });
  return {
    ...(changedSince === undefined ? {} : { changedSince }),
    ...(changedUntil === undefined ? {} : { changedUntil }),
    ...(fileType === undefined ? {} : { fileType }),
  };
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

function secondsOf(value: number | string): number | { readonly problem: string } {
  const text = typeof value === "string" ? value.trim() : String(value);
  if (/^\d+(\.0+)?$/.test(text)) {
    const seconds = Number(text);
    return seconds <= SECONDS_MAX
      ? seconds
      : { problem: "should be Unix seconds, but is too large: is it in milliseconds?" };
  }
  const [, day, clock = "00:00", second = "00", fraction = "", zone = "Z"] = TIME.exec(text) ?? [];
  if (day === undefined) return { problem: RULE };
  // Keboola compares whole seconds.
  if (/[1-9]/.test(fraction)) return { problem: "should have no fraction of a second" };
  const [, sign, hours = "00", minutes = "00"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  const offset = sign === undefined ? "Z" : `${sign}${hours}:${minutes}`;
  const ms = Date.parse(`${day}T${clock}:${second}${offset}`);
  // Some runtimes turn the 30th of February into a day of March.
  const isDay = !Number.isNaN(Date.parse(day)) && new Date(Date.parse(day)).toISOString().startsWith(day);
  if (Number.isNaN(ms) || !isDay) return { problem: "should be a date that exists" };
  if (ms < 0) return { problem: "should not be before 1970" };
  return ms / 1000;
}
