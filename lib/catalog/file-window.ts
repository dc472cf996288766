import { AgnesError } from "../base/mod.ts";
import type { FileLog } from "./file-log.ts";
import { loadState, writeState, type SnapshotPlace } from "./file-snapshot.ts";
import type { LogPaths } from "./log-paths.ts";
import { baseOf, basesOf, droppable, newestBase, type LogBase } from "./log-window.ts";
import { MaterializedIndex } from "./materialized-index.ts";
import type { LogRetention } from "./storage.ts";

/** Number of times a base is read if a newer one replaces it during the read. */
const ATTEMPTS = 5;

/**
 * Limits a log that is no audit trail to its newest entries. A base, the state after some entry, replaces the dropped
 * entries. It is durable before any entry is removed, and until then it is merely redundant.
 */
export class FileWindow {
  readonly #place: SnapshotPlace;
  readonly #paths: LogPaths;
  readonly #log: FileLog;
  readonly #retention: LogRetention;

  constructor(place: SnapshotPlace, paths: LogPaths, log: FileLog, retention: LogRetention) {
    this.#place = { ...place, directory: paths.base };
    this.#paths = paths;
    this.#log = log;
    this.#retention = retention;
  }

  /** The base in effect; `null` if no entries are dropped. */
  base(): Promise<LogBase | null> {
    return newestBase(this.#paths, this.#place.host);
  }

  /**
   * The state to replay the kept entries on.
   * @throws `catalog_corrupt` naming a damaged base
   */
  async origin(): Promise<MaterializedIndex> {
    const { catalog, schema } = this.#place;
    for (let attempt = 1; ; attempt++) {
      const base = await this.base();
      if (base === null) return new MaterializedIndex(schema);
      const loaded = await loadState(this.#place, base.path, base.sequence);
      if (loaded instanceof MaterializedIndex) return loaded;
      if (loaded !== null || attempt === ATTEMPTS) {
        const reason = loaded?.damage ?? "it is missing";
        throw new AgnesError("catalog_corrupt", { catalog, place: base.path, reason });
      }
    }
  }

  /** Drops entries older than the window, including those that a killed process failed to remove. */
  async move(index: MaterializedIndex): Promise<void> {
    const { files } = this.#place.host;
    const { keepEntries } = this.#retention;
    if (keepEntries === undefined) return;
    const wanted = droppable(index.sequence, keepEntries);
    let base = await this.base();
    if (wanted > (base?.dropped ?? 0)) {
      base = baseOf(this.#paths, wanted, index.sequence);
      await writeState(this.#place, base.path, index, (sequence) => this.#log.settle(sequence));
    }
    if (base === null) return;
    await this.#log.drop(base.dropped);
    const old = basesOf(this.#paths, await files.list(this.#paths.base));
    for (const { path } of old.filter((each) => each.path < base.path)) await files.remove(path);
  }
}
