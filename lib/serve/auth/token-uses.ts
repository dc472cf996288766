import type { Host, Log } from "../../base/mod.ts";
import { openCatalog, verifyCatalog, type Catalog, type CatalogStorage } from "../../catalog/mod.ts";

/** What the tokens and their uses are opened with. */
export interface TokenServices {
  readonly storage: CatalogStorage;
  readonly host: Host;
  readonly log: Log;
}

/** The last use of a token. */
interface TokenUse {
  readonly id: string;
  /** ISO 8601. */
  readonly usedAt: string;
}

/** How old a recorded use is before a new one is recorded. */
const INTERVAL_MS = 600_000;
const KEEP_ENTRIES = 256;
/** More tokens than this are recorded more often than the interval. */
const REMEMBERED_MAX = 10_000;

/**
 * When tokens were last used. They are in a catalog of their own, which drops old entries: their number grows with time,
 * and they need no audit.
 */
export class TokenUses {
  readonly #catalog: Catalog<TokenUse>;
  readonly #host: Host;
  readonly #log: Log;
  /** The time of the last attempt to record each token, by the monotonic clock. */
  readonly #recorded = new Map<string, number>();
  readonly #writes = new Set<Promise<void>>();

  private constructor(catalog: Catalog<TokenUse>, host: Host, log: Log) {
    this.#catalog = catalog;
    this.#host = host;
    this.#log = log;
  }

  static async open(services: TokenServices): Promise<TokenUses> {
    const schema = { name: "token_uses", rowKey: "id", indexKeys: [], keepEntries: KEEP_ENTRIES } as const;
    const catalog = await openCatalog<TokenUse>({ ...schema, ...services });
    return new TokenUses(catalog, services.host, services.log);
  }

  /** Records that a token is used now, at most once in ten minutes. Does not wait for the write, and ignores failures. */
  mark(id: string): void {
    const now = this.#host.monotonicMs();
    const last = this.#recorded.get(id);
    if (last !== undefined && now - last < INTERVAL_MS) return;
    if (this.#recorded.size >= REMEMBERED_MAX) this.#recorded.clear();
    this.#recorded.set(id, now);
    const write = this.#record(id)
      .catch((error: unknown) => this.#log.warn("the last use of a token was not recorded", { id, error }))
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  /** The last use of each token, ISO 8601. Up to ten minutes old. */
  async all(): Promise<ReadonlyMap<string, string>> {
    await Promise.all(this.#writes);
    const uses = await this.#catalog.query({});
    return new Map(uses.map(({ record }) => [record.id, record.usedAt]));
  }

  /** Reads all of it. Throws `catalog_corrupt` with the damaged part. */
  async verifyStored(): Promise<void> {
    await verifyCatalog(this.#catalog);
  }

  async forget(id: string): Promise<void> {
    await this.#catalog.delete(id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#writes);
    await this.#catalog.close();
  }

  async #record(id: string): Promise<void> {
    const now = this.#host.now();
    await this.#catalog.transact(
      async (view) => {
        const known = (await view.get(id))?.record.usedAt;
        // Another process may have recorded it.
        const isRecent = known !== undefined && Math.abs(now.getTime() - Date.parse(known)) < INTERVAL_MS;
        return isRecent ? [] : [{ kind: "put", record: { id, usedAt: now.toISOString() } }];
      },
      { actor: id },
    );
  }
}
