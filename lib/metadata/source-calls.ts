import { AgnesError, isAgnesError, redactThrown, withDeadline } from "../base/mod.ts";
import type { TableMetadata } from "../kit/mod.ts";
import { openSource, registeredTable, type SourceHandle, type SourceServices } from "../sources/mod.ts";
import type { RegisteredTable } from "../tables/mod.ts";
import type { Fetched } from "./stored.ts";

const CALL_TIMEOUT_MS = 60_000;
/** After as many transient failures in a row, the source counts as down: its other tables would wait as long. */
const FAILURES_MAX = 5;

interface OpenedSource {
  readonly handle: Promise<SourceHandle>;
  failuresInRow: number;
}

/** Requests the metadata of tables during one refresh. Each source is opened once, when one of its tables is requested. */
export class SourceCalls implements AsyncDisposable {
  readonly #services: SourceServices;
  readonly #signal: AbortSignal;
  readonly #opened = new Map<string, OpenedSource>();

  constructor(services: SourceServices, signal: AbortSignal) {
    this.#services = services;
    this.#signal = signal;
  }

  /**
   * Requests the metadata of one table. Each table is a call of its own, so that the failure of one, such as missing access,
   * is not that of the others.
   * @throws `aborted`; a failure of the source is a result
   */
  async fetch(record: RegisteredTable): Promise<Fetched> {
    const source = this.#open(record.source);
    try {
      const handle = await source.handle;
      if (source.failuresInRow >= FAILURES_MAX) return { status: "error", error: sourceDown(record.source) };
      const metadata = await this.#call(handle, record);
      source.failuresInRow = 0;
      return metadata === null ? { status: "no_data" } : { status: "ok", metadata };
    } catch (error) {
      if (this.#signal.aborted) throw error;
      source.failuresInRow =
        isAgnesError(error) && error.retry === "transient" ? source.failuresInRow + 1 : 0;
      return { status: "error", error };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.#opened.values()].map(async ({ handle }) => {
      // A source that did not open is a failure of its tables, and there is nothing to close.
      const opened = await handle.catch(() => null);
      await opened?.close();
    });
    for (const result of await Promise.allSettled(handles))
      if (result.status === "rejected")
        this.#services.log.warn("a source was not closed after a refresh of metadata", {
          error: result.reason as unknown,
        });
  }

  #open(name: string): OpenedSource {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const opened = { handle: openSource(this.#services, name, this.#signal), failuresInRow: 0 };
    this.#opened.set(name, opened);
    return opened;
  }

  async #call(handle: SourceHandle, record: RegisteredTable): Promise<TableMetadata | null> {
    const { connector, plugin, name: source } = handle;
    if (connector.metadata === undefined)
      throw new AgnesError("capability_missing", { plugin: plugin.name, source, capability: "metadata" });
    try {
      for (const name of namesOf(record)) {
        const info = { ...registeredTable(record), name };
        const found = await withDeadline(
          `the metadata of table ${record.id}`,
          { timeoutMs: CALL_TIMEOUT_MS, signal: this.#signal },
          (signal) => connector.metadata!([info], { signal }),
        );
        const metadata = found.find((one) => one.name === name);
        if (metadata !== undefined) return metadata;
      }
      return null;
    } catch (error) {
      throw redactThrown(error, handle.secrets);
    }
  }
}

/** The names that a source may use for a table: with the bucket first, because two buckets may have tables of one name. */
function namesOf({ sourceTable, name, bucket }: RegisteredTable): readonly string[] {
  const own = sourceTable ?? name;
  return bucket === null || own.startsWith(`${bucket}.`) ? [own] : [`${bucket}.${own}`, own];
}

function sourceDown(source: string): AgnesError {
  const reason = `source ${source} failed ${FAILURES_MAX} times in a row, so this table was not requested`;
  return new AgnesError("source_unavailable", { reason });
}
