import { join } from "node:path";

import type { Files } from "../../base/mod.ts";
import { quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import { sha256OfFile } from "../write/finish-parts.ts";
import type { PublishedColumn, Part, PublishedTable } from "../format/extract-state.ts";
import { readParquet } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import type { StagedPart } from "../write/staged.ts";
import {
  addHashes,
  fingerprintAfterChange,
  fingerprintOf,
  hashFiles,
  parseFingerprint,
  type RowsHash,
} from "./fingerprint.ts";

/** The result of comparing written parts with the published parts that they would replace. */
export interface Comparison {
  readonly isSame: boolean;
  /** The fingerprint of all published rows, if it was computed. It halves the work of the next comparison. */
  readonly fingerprint?: string;
}

/** The rows differ. */
export const DIFFERENT: Comparison = { isSame: false };

/**
 * Compares the rows read with the published rows, in any order. The cheapest checks run first: row counts, known
 * hashes, bytes, bounds and nulls in the footers, and finally hashes of all values.
 *
 * Each origin is compared separately, because later reads keep or replace origins separately.
 */
export async function compareRows(
  job: TableJob,
  connection: Connection,
  written: readonly StagedPart[],
  replaced: readonly Part[],
  layout: { readonly columns: readonly PublishedColumn[]; readonly version: number },
): Promise<Comparison> {
  const { previous, signal } = job;
  const { directory } = job.run;
  const before = replaced.filter((part) => part.rows > 0);
  const after = written.filter((part) => part.rows > 0);
  const pairs = pairUp(after, before);
  if (pairs === null) return DIFFERENT;
  if (before.some((part) => part.schemaVersion !== layout.version)) return DIFFERENT;
  if (pairs.length === 0) return { isSame: true };
  const isAll = before.length === previous!.parts.filter((part) => part.rows > 0).length;
  const known = isAll ? parseFingerprint(previous!.fingerprint, pairs.length) : null;
  const passed = hashesWhileWritten(pairs.map((pair) => pair.after));
  if (known === null || passed === null) {
    if (await sameBytes(job.run.services.host.files, pairs)) return { isSame: true };
    const old = before.map((part) => join(directory, part.path));
    const fresh = after.map((part) => part.path);
    const stated = await footers(connection, old, layout.columns, signal);
    if (stated !== (await footers(connection, fresh, layout.columns, signal))) return DIFFERENT;
  }
  const hash = (groups: readonly (readonly string[])[]) =>
    hashFiles(connection, groups, layout.columns, signal);
  const now = passed ?? (await hash(pairs.map((pair) => pair.after.map((part) => part.path))));
  const was =
    known ?? (await hash(pairs.map((pair) => pair.before.map(({ path }) => join(directory, path)))));
  const isSame = fingerprintOf(now) === fingerprintOf(was);
  return { isSame, ...(isAll && isSame ? { fingerprint: fingerprintOf(now) } : {}) };
}

/** Returns the fingerprint of a table whose parts are exactly `written`; see `fingerprintAfterChange`. */
export function fingerprintOfWritten(
  previous: string | undefined,
  written: readonly StagedPart[],
): Pick<PublishedTable, "fingerprint"> {
  const groups = sortedByOrigin(byOrigin(written.filter((part) => part.rows > 0)));
  const fingerprint = fingerprintAfterChange(previous, hashesWhileWritten(groups.map(([, parts]) => parts)));
  return fingerprint === undefined ? {} : { fingerprint };
}

/** The hashes that were computed while groups of parts were written; null if one is missing. */
function hashesWhileWritten(groups: readonly (readonly StagedPart[])[]): readonly RowsHash[] | null {
  const hashes: RowsHash[] = [];
  for (const group of groups) {
    const parts = group.flatMap(({ rows, hashSum: sum }) => (sum === undefined ? [] : [{ rows, sum }]));
    if (parts.length < group.length) return null;
    hashes.push(addHashes(parts));
  }
  return hashes;
}

interface Pair {
  readonly after: readonly StagedPart[];
  readonly before: readonly Part[];
}

/** Pairs the new and old parts of each origin; null if an origin has no counterpart or another number of rows. */
function pairUp(after: readonly StagedPart[], before: readonly Part[]): readonly Pair[] | null {
  const fresh = byOrigin(after);
  const old = byOrigin(before);
  if (fresh.size !== old.size) return null;
  const pairs: Pair[] = [];
  for (const [origin, parts] of sortedByOrigin(fresh)) {
    const others = old.get(origin);
    if (others === undefined || rowsOf(others) !== rowsOf(parts)) return null;
    pairs.push({ after: parts, before: others });
  }
  return pairs;
}

function byOrigin<P extends { readonly origin: string | null }>(
  parts: readonly P[],
): ReadonlyMap<string | null, readonly P[]> {
  const groups = new Map<string | null, P[]>();
  for (const part of parts) groups.set(part.origin, [...(groups.get(part.origin) ?? []), part]);
  return groups;
}

function sortedByOrigin<P>(
  groups: ReadonlyMap<string | null, readonly P[]>,
): readonly (readonly [string | null, readonly P[]])[] {
  return [...groups].sort(([a], [b]) => ((a ?? "") < (b ?? "") ? -1 : 1));
}

function rowsOf(parts: readonly { readonly rows: number }[]): number {
  return parts.reduce((sum, part) => sum + part.rows, 0);
}

/**
 * Whether the files of each origin equal the published ones byte for byte. Files are hashed only if their sizes match.
 */
async function sameBytes(files: Files, pairs: readonly Pair[]): Promise<boolean> {
  const sizes = (parts: readonly { readonly sizeBytes: number }[]) =>
    parts.map((part) => part.sizeBytes).sort((a, b) => a - b);
  if (pairs.some(({ after, before }) => String(sizes(after)) !== String(sizes(before)))) return false;
  for (const { after, before } of pairs) {
    const known = before.map((part) => part.sha256).sort();
    const found: string[] = [];
    for (const part of after) found.push(part.sha256 ?? (await sha256OfFile(files, part.path)));
    if (String(found.sort()) !== String(known)) return false;
  }
  return true;
}

/** Types whose bounds do not depend on the row groups. */
const BOUNDED = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DATE|TIMESTAMP|DECIMAL\(\d+, ?\d+\))$/;

/**
 * Returns the null counts and bounds in the footers as text, which is equal for equal rows.
 *
 * The footers of new parts are read too, because COPY statistics are kept only for keys and cursors: those of all
 * columns would use too much memory.
 */
async function footers(
  connection: Connection,
  paths: readonly string[],
  columns: readonly PublishedColumn[],
  signal: AbortSignal,
): Promise<string> {
  const list = readParquet(paths).replace("read_parquet", "parquet_metadata");
  const byType = new Map<string, string[]>();
  for (const { name, type } of columns) {
    if (BOUNDED.test(type)) byType.set(type, [...(byType.get(type) ?? []), quoteLiteral(name)]);
  }
  // One group for each column, because filtered aggregates would scan all columns for each column.
  const bounds = [...byType].map(([type, names]) => {
    const bound = (side: "min" | "max") =>
      `CAST(${side}(TRY_CAST(stats_${side}_value AS ${type})) AS VARCHAR)`;
    return `SELECT path_in_schema AS path, ${bound("min")} AS least, ${bound("max")} AS greatest FROM footers
      WHERE path_in_schema IN (${names.join(", ")}) GROUP BY path_in_schema`;
  });
  const none = "SELECT NULL AS path, NULL AS least, NULL AS greatest WHERE false";
  const [row] = await connection.rows<{ nulls: string | null; bounds: string | null }>(
    `WITH footers AS MATERIALIZED (SELECT * FROM ${list})
     SELECT (SELECT CAST(list((path_in_schema, nulls) ORDER BY path_in_schema) AS VARCHAR) FROM
         (SELECT path_in_schema, sum(stats_null_count) AS nulls FROM footers GROUP BY path_in_schema)) AS nulls,
       (SELECT CAST(list((path, least, greatest) ORDER BY path) AS VARCHAR) FROM
         (${bounds.length === 0 ? none : bounds.join(" UNION ALL ")})) AS bounds`,
    { signal },
  );
  return `${row?.nulls} ${row?.bounds}`;
}
