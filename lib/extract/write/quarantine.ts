import { join } from "node:path";

import { AgnesError, JsonText, rowOfKept, type Host } from "../../base/mod.ts";
import type { RowReject } from "../../kit/mod.ts";
import type { TablePlan } from "../job/plan.ts";
import { quarantineMaxPercentOf } from "../job/rejecting.ts";
import type { TableJob } from "../job/job.ts";
import { WHOLE_READ } from "./staged.ts";

const FLUSH_ROWS = 1_000;
/** An incremental read of fewer rows is judged as one of so many: one bad row among three new ones is no alarm. */
const DELTA_ROWS_MIN = 100;
/** So many different reasons are counted; a message that differs for every row must not fill the memory. */
const REASONS_MAX = 1_000;

/** Why a row without a key is set aside. */
export const NO_KEY = "the primary key has no value";

/** A rejected row of which the place is not known yet. */
type KeptReject = Omit<RowReject, "row">;

/** Where the rows of one read go that do not fit: one NDJSON file, made when the first one comes. */
export class Quarantine {
  readonly path: string;
  readonly #host: Host;
  readonly #directory: string;
  #lines: string[] = [];
  #flushing: Promise<void> = Promise.resolve();
  readonly #reasons = new Map<string, { rows: number; readonly example: string }>();
  /** The places of the rows that did not fit, ascending, by what they are counted in. */
  readonly #rejected = new Map<string, number[]>();
  rows = 0;

  constructor(host: Host, directory: string, table: string, runId: string) {
    this.#host = host;
    this.#directory = join(directory, "quarantine", table.toLowerCase());
    this.path = join(this.#directory, `${runId}.ndjson`);
  }

  /**
   * Takes one row that did not fit; it is on the disk after `finish`.
   *
   * @param counted what its `row` is counted in; see `StagedPart.counted`
   */
  add(reject: RowReject, counted: string = reject.origin ?? WHOLE_READ): void {
    const before = this.#rejected.get(counted);
    if (before === undefined) this.#rejected.set(counted, [reject.row]);
    else before.push(reject.row);
    this.#take(reject);
  }

  /**
   * Takes one row that was kept and turned out to have no key.
   *
   * @param place the place of the row among the kept ones of what it is counted in; absent when it is not known
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

  /** Why most of the rows were rejected, with one of their values. */
  get mainReason(): string {
    const [most] = [...this.#reasons].sort(([, a], [, b]) => b.rows - a.rows);
    return most === undefined ? "" : `${most[0]} (for example ${most[1].example})`;
  }

  /** Forgets all rows, for a read that starts again. */
  async reset(): Promise<void> {
    await this.finish();
    await this.#host.files.remove(this.path);
    this.#reasons.clear();
    this.#rejected.clear();
    this.rows = 0;
  }

  /** Writes what is left and throws what went wrong before. */
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
    this.#flushing = this.#flushing.then(async () => {
      await this.#host.files.makeDirectory(this.#directory);
      await this.#host.files.append(this.path, text);
    });
    this.#flushing.catch(() => {});
  }
}

/** The quarantine of a table; null when bad rows are to fail it. */
export function quarantineOf(job: TableJob): Quarantine | null {
  const { plan } = job;
  const { services, directory, id: runId } = job.run;
  return plan.quarantine ? new Quarantine(services.host, directory, plan.name, runId) : null;
}

/**
 * Refuses a read of which too many rows were rejected.
 *
 * @param read how many rows the read gave, with the rejected ones
 * @param replaces whether the read takes the place of published rows; one without a good row then always fails
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

/** What the owner of a table should know of its rejected rows; none when there are none. */
export function quarantineNotes(quarantine: Quarantine | null): readonly string[] {
  if (quarantine === null || quarantine.rows === 0) return [];
  const { rows, mainReason, path } = quarantine;
  return [
    `${rows} ${rows === 1 ? "row was" : "rows were"} rejected, mostly because of ${mainReason}; see ${path}`,
  ];
}

function exampleOf({ value, row, origin }: KeptReject & Partial<RowReject>): string {
  const place = row === undefined ? "a row" : `row ${row}`;
  const what = value === "" ? "" : `${value} in `;
  return `${what}${place}${origin === undefined ? "" : ` of ${origin}`}`;
}

function toJson({ record, ...reject }: KeptReject & Partial<RowReject>): string {
  const text = record instanceof JsonText ? record.text : JSON.stringify(record ?? null, written);
  return `${JSON.stringify(reject).slice(0, -1)},"record":${text}}`;
}

/** What JSON has no form for becomes text, so that it is still there. */
function written(_key: string, item: unknown): unknown {
  return typeof item === "bigint" || (typeof item === "number" && !Number.isFinite(item))
    ? item.toString()
    : item;
}
