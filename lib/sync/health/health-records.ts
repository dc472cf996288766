import { isAgnesError, type Host } from "../../base/mod.ts";
import { openCatalog, type Catalog, type CatalogServices } from "../../catalog/mod.ts";
import { Records } from "../records.ts";
import type { SourceReport } from "../report.ts";
import { runError } from "../runs/result.ts";

/** Only the last check of a source is needed. */
const KEPT_ENTRIES = 256;
/** A failed check holds back scheduled syncs for this long. Checks are made every five minutes. */
const RECENT_MS = 12 * 60_000;

/**
 * The state of a source.
 *
 * - `ok`: the last check, or the last run, found it ready.
 * - `failed`: it cannot be reached, rejects the credentials, or its configuration is wrong.
 * - `unknown`: it was connected, but its plugin has no health check.
 */
export type HealthState = "ok" | "failed" | "unknown";

/** The result of one check of a source. */
export interface HealthResult {
  readonly source: string;
  readonly state: HealthState;
  /** The stable name of the failure; null unless `failed`. */
  readonly code: string | null;
  /** One sentence, without secrets; null if there is nothing to add. */
  readonly reason: string | null;
}

/** The last known health of a source, as it is kept. */
interface HealthRecord extends HealthResult {
  /** When it entered its state; ISO 8601. */
  readonly since: string;
  /** The time of the last check; ISO 8601. */
  readonly checkedAt: string;
}

/** The last known health of each source of a workspace, in a catalog of its own. */
export class HealthRecords extends Records<HealthRecord> {
  readonly #host: Pick<Host, "now">;

  private constructor(catalog: Catalog<HealthRecord>, host: Pick<Host, "now">) {
    super(catalog);
    this.#host = host;
  }

  static async open(services: CatalogServices): Promise<HealthRecords> {
    const keys = { rowKey: "source", indexKeys: [], keepEntries: KEPT_ENTRIES };
    const catalog = await openCatalog<HealthRecord>({ ...services, name: "health", ...keys });
    return new HealthRecords(catalog, services.host);
  }

  /** The last known health by source. Sources that were never checked are missing. */
  async all(): Promise<ReadonlyMap<string, HealthRecord>> {
    const found = await this.catalog.query({});
    return new Map(found.map(({ record }) => [record.source, record]));
  }

  /** The sources whose last check failed a short time ago. */
  async failing(): Promise<ReadonlySet<string>> {
    const nowMs = this.#host.now().getTime();
    const failed = [...(await this.all()).values()].filter(({ state, checkedAt }) => {
      const ageMs = nowMs - Date.parse(checkedAt);
      return state === "failed" && ageMs >= 0 && ageMs < RECENT_MS;
    });
    return new Set(failed.map(({ source }) => source));
  }

  async record(results: readonly HealthResult[]): Promise<void> {
    if (results.length === 0) return;
    const checkedAt = this.#host.now().toISOString();
    await this.catalog.transact(async (view) =>
      Promise.all(
        results.map(async (result) => {
          const known = (await view.get(result.source))?.record;
          const since = known?.state === result.state ? known.since : checkedAt;
          return { kind: "put", record: { ...result, since, checkedAt } } as const;
        }),
      ),
    );
  }

  /** Records what the run of a source showed. */
  async recordRun(report: SourceReport): Promise<void> {
    const result = resultOfRun(report);
    if (result !== null) await this.record([result]);
  }
}

/** The health that an error shows. */
export function failedHealth(source: string, error: unknown): HealthResult {
  const { code, message, hint } = runError(error);
  // The sentence of a plugin is the whole reason; the hint of its error names the command that printed it.
  const isPlain = isAgnesError(error, "source_unhealthy");
  const reason = isPlain ? error.details.reason : `${message}${hint === "" ? "" : `. ${hint}`}`;
  return { source, state: "failed", code, reason };
}

function resultOfRun({ source, status, stats, error }: SourceReport): HealthResult | null {
  if (status === "skipped") return failedHealth(source, error);
  const hasRead = stats !== undefined && stats.tablesExtracted + stats.tablesSkipped > 0;
  return hasRead ? { source, state: "ok", code: null, reason: "the last run read it" } : null;
}
