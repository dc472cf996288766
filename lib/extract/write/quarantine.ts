import { join } from "node:path";

import { AgnesError, bigintAsText, JsonText, rowOfKept, type Host } from "../../base/mod.ts";
import type { RowReject } from "../../kit/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import { quarantineMaxPercentOf } from "../job/rejecting.ts";
import type { TableJob } from "../job/job.ts";
import { WHOLE_READ } from "./staged.ts";

const FLUSH_ROWS = 1_000;
/**
 * Minimum number of rows for the percentage of an incremental read, so that one bad row among three does not fail the
 * table.
 */
const DELTA_ROWS_MIN = 100;
/** Maximum number of different reasons to count, to limit memory when each row has another message. */
const REASONS_MAX = 1_000;

/** The reason for rejecting a row with a null key. */
export const NO_KEY = "the primary key is null";

/** A rejected row whose row number is not known yet. */
type KeptReject = Omit<RowReject, "row">;

/** The rejected rows of one read, in the NDJSON file of the table and the run, which is created for the first of them. */
export class Quarantine {
  readonly path: string;
  readonly #host: Host;
  readonly #directory: string;
  #lines: string[] = [];
  #flushing: Promise<void> = Promise.resolve();
  readonly #reasons = new Map<string, { rows: number; readonly example: string }>();
  /** The ascending row numbers of rejected rows, by `StagedPart.counted`. */
  readonly #rejected = new Map<string, number[]>();
  /** The size of what this read wrote. Earlier windows of a first load write into the same file. */
  #sizeBytes = 0;
  rows = 0;

  constructor(host: Host, directory: string, table: string, runId: string) {
    this.#host = host;
    this.#directory = join(directory, "quarantine", table.toLowerCase());
    this.path = join(this.#directory, `${runId}.ndjson`);
  }

  /**
   * Adds a rejected row. It is written by the time `finish` resolves.
   *
   * @param counted the scope of its row number; see `StagedPart.counted`
   */
  add(reject: RowReject, counted: string = reject.origin ?? WHOLE_READ): void {
    const before = this.#rejected.get(counted);
    if (before === undefined) this.#rejected.set(counted, [reject.row]);
    else before.push(reject.row);
    this.#take(reject);
  }

  /**
   * Adds a row that was staged before its key turned out to be null.
   *
   * @param place the number of the row among the staged rows of its scope; absent if it is not known
   */
  addKept(reject: KeptReject, place?: { readonly counted: string; readonly kept: number }): void {
    if (place === undefined) return this.#take(reject);
    const rejected = this.#rejected.get(place.counted) ?? [];
    this.#take({ row: rowOfKept(place.kept, rejected), ...reject });
  }

  #take(reject: KeptReject & Partial<RowReject>): void {
    this.rows += 1;
    this.#count(reject);
    this.#lines.push(`${toJson(reject)}\n`);
    if (this.#lines.length >= FLUSH_ROWS) this.#flush();
  }

  /** The most frequent reason, with an example. */
  get mainReason(): string {
    const [most] = [...this.#reasons].sort(([, a], [, b]) => b.rows - a.rows);
    return most === undefined ? "" : `${most[0]} (for example ${most[1].example})`;
  }

  /** Removes all rows, also those of earlier windows, for a read of the whole table. */
  async reset(): Promise<void> {
    await this.finish();
    await this.#host.files.remove(this.path);
    this.#clear();
  }

  /** Removes the rows of this read, which starts again. */
  async restart(): Promise<void> {
    await this.finish();
    const { files } = this.#host;
    const at = ((await files.stat(this.path))?.sizeBytes ?? 0) - this.#sizeBytes;
    if (at > 0) await files.append(this.path, "", { at });
    else await files.remove(this.path);
    this.#clear();
  }

  #clear(): void {
    this.#reasons.clear();
    this.#rejected.clear();
    this.#sizeBytes = 0;
    this.rows = 0;
  }

  /** Writes the remaining rows. Rejects with the first error of all writes. */
  async finish(): Promise<void> {
    this.#flush();
    await this.#flushing;
  }

  #count(reject: KeptReject & Partial<RowReject>): void {
    const { column, reason } = reject;
    const key = column === "" ? reason : `column ${column}: ${reason}`;
    const known = this.#reasons.get(key);
    if (known !== undefined) known.rows += 1;
    else if (this.#reasons.size < REASONS_MAX)
      this.#reasons.set(key, { rows: 1, example: exampleOf(reject) });
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    this.#sizeBytes += Buffer.byteLength(text);
    this.#flushing = this.#flushing.then(async () => {
      await this.#host.files.makeDirectory(this.#directory);
      await this.#host.files.append(this.path, text);
    });
    this.#flushing.catch(() => {});
  }
}

/** Creates the quarantine of a table; null if invalid rows fail the table. */
export function quarantineOf(job: TableJob): Quarantine | null {
  const { plan } = job;
  const { services, directory, id: runId } = job.run;
  return plan.quarantine ? new Quarantine(services.host, directory, plan.name, runId) : null;
}

/**
 * Fails a read with too many rejected rows.
 *
 * @param read the number of rows read, including rejected ones
 * @param replaces whether the read replaces published rows; then it also fails if all of its rows were rejected
 * @throws `quarantine_exceeded`
 */
export function checkQuarantine(
  quarantine: Quarantine | null,
  plan: Pick<TablePlan, "id" | "name" | "quarantineMaxPercent">,
  { read, replaces }: { readonly read: number; readonly replaces: boolean },
): void {
  if (quarantine === null || quarantine.rows === 0) return;
  const { rows: rejected, mainReason: reason, path } = quarantine;
  const maxPercent = quarantineMaxPercentOf(plan);
  const judged = replaces ? read : Math.max(read, DELTA_ROWS_MIN);
  const isTooMuch = rejected * 100 > judged * maxPercent;
  if (!isTooMuch && !(replaces && rejected >= read)) return;
  const { id, name: table } = plan;
  throw new AgnesError("quarantine_exceeded", { id, table, rejected, read, maxPercent, reason, path });
}

/** Notes for the owner of a table about rejected rows. */
export function quarantineNotes(quarantine: Quarantine | null): readonly string[] {
  if (quarantine === null || quarantine.rows === 0) return [];
  const { rows, mainReason, path } = quarantine;
  const [what, reason] = rows === 1 ? ["row was", "the reason"] : ["rows were", "the most frequent reason"];
  return [`${rows} ${what} rejected; ${reason}: ${mainReason}; see ${path}`];
}

function exampleOf({ value, row, origin }: KeptReject & Partial<RowReject>): string {
  const place = row === undefined ? "a row" : `row ${row}`;
  const what = value === "" ? "" : `${value} in `;
  return `${what}${place}${origin === undefined ? "" : ` of ${origin}`}`;
}

function toJson({ record, ...reject }: KeptReject & Partial<RowReject>): string {
  const text = record instanceof JsonText ? record.text : JSON.stringify(record ?? null, textOfUnsupported);
  return `${JSON.stringify(reject).slice(0, -1)},"record":${text}}`;
}

/** Converts numbers that JSON does not support to text. */
function textOfUnsupported(key: string, item: unknown): unknown {
  return typeof item === "number" && !Number.isFinite(item) ? item.toString() : bigintAsText(key, item);
}
