import type { Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn, Part } from "../format/extract-state.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import { discard, type StagedPart } from "../write/staged.ts";
import { candidateParts, partsRelation } from "./candidates.ts";
import { lastOfEachKey, orderedParts } from "./delta.ts";
import { writeSql } from "./merge.ts";

/** The parts of a table after a read of changed origins, or the reason why a full read is needed. */
export type OriginsMerge =
  | {
      readonly kind: "merged";
      readonly kept: readonly Part[];
      readonly written: readonly StagedPart[];
      /** See `PublishedTable.shadowed`. */
      readonly shadowed: boolean;
    }
  | { readonly kind: "again"; readonly reason: string };

/** The origins of a read. */
export interface ReadOrigins {
  /** The origins that it yielded, including those without rows. */
  readonly yielded: ReadonlySet<string>;
  /** The unchanged origins; absent if the read does not list them, so that all origins it did not yield are kept. */
  readonly kept: ReadonlySet<string> | undefined;
}

const again = (reason: string): OriginsMerge => ({ kind: "again", reason });

/**
 * Replaces the rows of changed origins and removes those of missing origins. The result equals that of a full read: for
 * each key, the row of the last origin by name wins.
 */
export async function mergeOrigins(
  job: TableJob,
  connection: Connection,
  staged: readonly StagedPart[],
  origins: ReadOrigins,
  columns: readonly PublishedColumn[],
): Promise<OriginsMerge> {
  const { plan, previous } = job;
  if (plan.strategy === "partitioned") return again("a file changed, and partitions mix the rows of files");
  const parts = previous!.parts.filter((part) => part.rows > 0);
  const isKept = ({ origin }: Part) =>
    origin === null || (!origins.yielded.has(origin) && (origins.kept?.has(origin) ?? true));
  const kept = parts.filter(isKept);
  const removed = parts.filter((part) => !isKept(part));
  if (plan.primaryKey.length === 0) return { kind: "merged", kept, written: staged, shadowed: false };
  const isMixed = parts.some(({ origin }) => origin === null) || staged.some(({ origin }) => origin === null);
  if (isMixed) return again("a file changed, and it is not known which rows came from which file");
  if (!isAscending(staged)) return again("changed files were not read in the order of their names");
  const merge = new KeyedMerge(job, connection, staged, kept, columns);
  try {
    return await merge.run(removed, previous!.shadowed ?? true);
  } finally {
    await merge.drop();
  }
}

/** Sorts parts by origin, as a full read yields them. Unchanged if a part has no origin. */
export function inOrderOfOrigins(parts: readonly Part[]): readonly Part[] {
  if (parts.some(({ origin }) => origin === null)) return parts;
  return parts.toSorted((a, b) => (a.origin === b.origin ? 0 : a.origin! < b.origin! ? -1 : 1));
}

function isAscending(staged: readonly StagedPart[]): boolean {
  return staged.every(({ origin }, at) => at === 0 || staged[at - 1]!.origin! <= origin!);
}

let nextMerge = 1;

/** Merges origins of a table with a key. The row of the last origin wins. */
class KeyedMerge {
  readonly #job: TableJob;
  readonly #connection: Connection;
  readonly #staged: readonly StagedPart[];
  readonly #kept: readonly Part[];
  readonly #columns: readonly PublishedColumn[];
  readonly #key: readonly string[];
  readonly #keyColumns: readonly PublishedColumn[];
  readonly #signal: { readonly signal: AbortSignal };
  /** The table with the key, part and row number of each winning new row. */
  readonly #new = `origin_keys_${nextMerge}`;
  /** The table with the new keys that kept parts contain too. */
  readonly #both = `origin_overlap_${nextMerge++}`;

  constructor(
    job: TableJob,
    connection: Connection,
    staged: readonly StagedPart[],
    kept: readonly Part[],
    columns: readonly PublishedColumn[],
  ) {
    this.#job = job;
    this.#connection = connection;
    this.#staged = staged;
    this.#kept = kept;
    this.#columns = columns;
    this.#key = job.plan.primaryKey;
    this.#keyColumns = columns.filter(({ name }) => this.#key.includes(name));
    this.#signal = { signal: job.signal };
  }

  async run(removed: readonly Part[], wasShadowed: boolean): Promise<OriginsMerge> {
    const keys = columnList(this.#keyColumns);
    const source =
      this.#staged.length > 0
        ? `SELECT * FROM ${orderedParts(this.#staged, keys)} ${lastOfEachKey(this.#key)}`
        : `SELECT ${keys}, agnes_part, 0 AS agnes_row FROM ${this.#relation([])}`;
    await this.#connection.run(`CREATE TABLE ${this.#new} AS ${source}`, this.#signal);
    if (wasShadowed && (await this.#mayResurface(removed)))
      return again("rows were removed from a file that had replaced rows of other files");
    const count = await this.#count(this.#new);
    const rows = this.#staged.reduce((sum, part) => sum + part.rows, 0);
    const candidates = await candidateParts(
      this.#connection,
      this.#kept,
      this.#new,
      this.#keyColumns.find(({ name }) => name === this.#key[0])!,
      this.#job.signal,
    );
    await this.#connection.run(
      `CREATE TABLE ${this.#both} AS SELECT ${columnList(this.#keyColumns, "o.")}, o.agnes_part, o.rank > n.rank AS is_later
       FROM ${this.#ranked(this.#relation(candidates), candidates)} o
       JOIN ${this.#ranked(this.#new, this.#staged)} n ON ${keysMatch(this.#key, "o", "n")}`,
      this.#signal,
    );
    const overlaps = await this.#count(this.#both);
    if (overlaps > 0) {
      await this.#connection.run(
        `DELETE FROM ${this.#new} n USING ${this.#both} b WHERE b.is_later AND ${keysMatch(this.#key, "n", "b")}`,
        this.#signal,
      );
    }
    return {
      kind: "merged",
      ...(await this.#rewriteKept(candidates, overlaps > 0)),
      shadowed: wasShadowed || overlaps > 0 || count < rows,
    };
  }

  async drop(): Promise<void> {
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.#new}`).catch(() => {});
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.#both}`).catch(() => {});
  }

  /** Whether a key removed from an origin has no new row in that origin or a later one. */
  async #mayResurface(removed: readonly Part[]): Promise<boolean> {
    if (removed.length === 0) return false;
    const found = await this.#connection.rows(
      `SELECT 1 FROM ${this.#ranked(this.#relation(removed), removed)} o
       ANTI JOIN ${this.#ranked(this.#new, this.#staged)} n ON ${keysMatch(this.#key, "o", "n")} AND n.rank >= o.rank
       LIMIT 1`,
      this.#signal,
    );
    return found.length > 0;
  }

  async #rewriteKept(
    candidates: readonly Part[],
    hasOverlaps: boolean,
  ): Promise<{ readonly kept: readonly Part[]; readonly written: readonly StagedPart[] }> {
    const list = columnList(this.#columns);
    const written: StagedPart[] = [];
    const losing = hasOverlaps ? await this.#places(`${this.#both} WHERE NOT is_later`) : new Map();
    for (const place of losing.keys()) {
      const part = candidates[place]!;
      const old = partsRelation(this.#job.run, [part], this.#columns, this.#job.previous!.schemas);
      const lost = `(FROM ${this.#both} WHERE NOT is_later AND agnes_part = ${place}) b`;
      const sql = `SELECT ${list} FROM ${old} o ANTI JOIN ${lost} ON ${keysMatch(this.#key, "o", "b")}`;
      await this.#keep(written, await writeSql(this.#job, sql, part.origin, { ordered: true }));
    }
    const counts = await this.#places(this.#new);
    for (const [place, part] of this.#staged.entries()) {
      if (counts.get(place) === part.rows) {
        written.push(part);
        continue;
      }
      const sql = `SELECT ${list} FROM (SELECT *, file_row_number AS agnes_row FROM ${readParquet([part.path])}) s
        SEMI JOIN (FROM ${this.#new} WHERE agnes_part = ${place}) n ON s.agnes_row = n.agnes_row ORDER BY agnes_row`;
      await this.#keep(written, await writeSql(this.#job, sql, part.origin, { ordered: true }));
      await discard(this.#job.run, [part]);
    }
    const rewritten = new Set([...losing.keys()].map((place) => candidates[place]!.path));
    return { kept: this.#kept.filter(({ path }) => !rewritten.has(path)), written };
  }

  async #keep(written: StagedPart[], part: StagedPart): Promise<void> {
    if (part.rows > 0) written.push(part);
    else await discard(this.#job.run, [part]);
  }

  /** The keys of published parts, with the index of their part in `parts`. */
  #relation(parts: readonly Part[]): string {
    return partsRelation(this.#job.run, parts, this.#keyColumns, this.#job.previous!.schemas);
  }

  /** A relation with `agnes_part` and the rank of that part's origin among all origins of the merge. */
  #ranked(relation: string, parts: readonly { readonly origin: string | null }[]): string {
    const names = new Set([...this.#kept, ...this.#staged, ...parts].map(({ origin }) => origin!));
    // Missing origins are ranked too.
    for (const { origin } of this.#job.previous!.parts) if (origin !== null) names.add(origin);
    const ranks = new Map([...names].sort().map((name, rank) => [name, rank]));
    const values = parts.map(({ origin }, at) => `(${at}, ${ranks.get(origin!)!})`);
    const list = values.length === 0 ? "(NULL::INTEGER, NULL::INTEGER)" : values.join(", ");
    return `(SELECT * FROM ${relation} JOIN (VALUES ${list}) AS ranks(agnes_part, rank) USING (agnes_part))`;
  }

  async #places(relation: string): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#connection.rows<{ place: number; n: bigint }>(
      `SELECT CAST(agnes_part AS INTEGER) AS place, count(*) AS n FROM (FROM ${relation}) GROUP BY agnes_part`,
      this.#signal,
    );
    return new Map(rows.map(({ place, n }) => [place, Number(n)]));
  }

  async #count(relation: string): Promise<number> {
    const [row] = await this.#connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${relation}`);
    return Number(row?.n ?? 0n);
  }
}
