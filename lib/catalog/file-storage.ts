import { join } from "node:path";

import {
  AgnesError,
  checkVendorName,
  createHost,
  makeDirectoryDurably,
  messageOf,
  Mutex,
  formatValue,
  silentLog,
  temporaryPath,
  type Host,
  type Log,
} from "../base/mod.ts";
import { FileLog } from "./file-log.ts";
import {
  listSnapshots,
  loadState,
  removeAbandoned,
  snapshotPath,
  writeSnapshot,
  type SnapshotPlace,
} from "./file-snapshot.ts";
import { addWitness, FORMAT } from "./file-witness.ts";
import { FileWindow } from "./file-window.ts";
import { BLOCK, LogPaths } from "./log-paths.ts";
import { MaterializedIndex } from "./materialized-index.ts";
import { countChanges } from "./slices.ts";
import type {
  CatalogSchema,
  CatalogStorage,
  CatalogStore,
  IndexedRow,
  LogEntry,
  LogRetention,
  Lookup,
} from "./storage.ts";

/** Options of `fileStorage`. */
export interface FileStorageOptions {
  /** Contains a folder for each catalog, named after it. Created if it does not exist. */
  readonly directory: string;
  /** Replaces the file system and the clock, for tests. Default: the host of this process. */
  readonly host?: Pick<Host, "files" | "random" | "now">;
  /** Receives an error when a damaged snapshot is skipped and the log is read instead. Default: discarded. */
  readonly log?: Log;
}

/** A snapshot is written after this many changes, or as many as there are records, whichever is more. */
const SNAPSHOT_AFTER_CHANGES = 4096;

/**
 * Stores catalogs in a folder that any number of processes can use at once, without locks.
 *
 * The log is one file per entry, later one segment per 256 entries. The indexes are in memory, loaded from the newest
 * snapshot and the log after it. Requires a file system with hard links.
 *
 * @throws (opening) `catalog_corrupt` naming the file; `file_failed`, `disk_full`, `invalid_identifier`
 * @example
 * ```ts
 * import { fileStorage, openCatalog } from "agnes/catalog";
 * const storage = fileStorage({ directory: "data/state" });
 * const notes = await openCatalog({ storage, name: "notes", rowKey: "id", indexKeys: ["author"] });
 * ```
 */
export function fileStorage(options: FileStorageOptions): CatalogStorage {
  const host = options.host ?? createHost();
  return {
    open: async (catalog, schema, retention = {}) => {
      const directory = join(options.directory, checkVendorName("the catalog", catalog));
      return new FileStore({ directory, catalog, schema, host }, options.log ?? silentLog, retention);
    },
  };
}

class FileStore implements CatalogStore {
  readonly maxEntryBytes = 64 * 1024 * 1024;
  readonly recheckMs = 0;
  readonly #place: SnapshotPlace;
  readonly #snapshots: SnapshotPlace;
  readonly #logger: Log;
  readonly #log: FileLog;
  readonly #window: FileWindow;
  readonly #upkeep = new Mutex();
  /** The content of a schema file of an earlier format; `null` if it has the current format. */
  #earlier: Readonly<Record<string, unknown>> | null = null;
  #index: MaterializedIndex;
  #appended = false;
  #changesSinceSnapshot = 0;
  #changesSinceForgetting = 0;
  /** Keys deleted up to this entry are forgotten next. */
  #forgetNext = 0;

  constructor(place: SnapshotPlace, logger: Log, retention: LogRetention) {
    this.#place = place;
    this.#snapshots = { ...place, directory: join(place.directory, "snapshots") };
    this.#logger = logger;
    this.#log = new FileLog(place.catalog, place.directory, place.host);
    this.#window = new FileWindow(place, new LogPaths(place.directory), this.#log, retention);
    this.#index = new MaterializedIndex(place.schema);
  }

  async lockSchema(schema: CatalogSchema): Promise<CatalogSchema> {
    const { directory, catalog, host } = this.#place;
    const { files } = host;
    const path = join(directory, "schema.json");
    if ((await files.stat(directory))?.isDirectory === false) {
      this.#corrupt(directory, "it is a file, not a directory");
    }
    const locked = await files.read(path);
    if (locked !== null) return this.#parsedSchema(path, locked);
    if (await this.#log.exists()) this.#corrupt(path, "it is missing, although there is a log");
    await makeDirectoryDurably(files, directory);
    // Durable before the schema, so that a reader of the schema can distinguish a lost log from an empty one.
    await this.#log.create();
    await files.sync(directory);
    const temporary = temporaryPath(host, path);
    try {
      await files.write(temporary, `${JSON.stringify({ format: FORMAT, catalog, ...schema })}\n`);
      await files.link(temporary, path);
    } finally {
      await files.remove(temporary);
    }
    await files.sync(directory);
    return this.#parsedSchema(path, (await files.read(path)) ?? this.#corrupt(path, "it is missing"));
  }

  append(entry: LogEntry): Promise<boolean> {
    this.#appended = true;
    return this.#log.append(entry);
  }

  settle(sequence: number): Promise<void> {
    return this.#log.settle(sequence);
  }

  read(from: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#log.read(from, limit);
  }

  async first(): Promise<number> {
    return this.#log.dropped + 1;
  }

  /** Loads the newest intact state: a snapshot, or the base of the log. */
  async checkpoint(): Promise<number> {
    const snapshots = await listSnapshots(this.#snapshots);
    await this.#upgrade(await this.#log.head(snapshots[0]));
    const base = await this.#window.base();
    for (const sequence of snapshots.filter((each) => each > (base?.sequence ?? 0))) {
      const path = snapshotPath(this.#snapshots, sequence);
      const loaded = await loadState(this.#snapshots, path, sequence);
      if (loaded instanceof MaterializedIndex) return this.#take(loaded);
      if (loaded !== null) {
        this.#logger.error("a snapshot is damaged; its state is rebuilt from the log, which is intact", {
          path,
          reason: loaded.damage,
        });
      }
    }
    return this.#take(base === null ? this.#index : await this.#window.origin());
  }

  async #upgrade(head: number): Promise<void> {
    const { catalog, directory, host } = this.#place;
    const schema = this.#earlier;
    if (schema === null) return;
    const paths = new LogPaths(directory);
    const schemaPath = join(directory, "schema.json");
    const log = this.#logger;
    if (!(await addWitness({ catalog, paths, host, schema, schemaPath, head, log }))) return;
    this.#earlier = null;
    this.#log.expect({ head: true });
  }

  #take(index: MaterializedIndex): number {
    index.forgetAs(this.#index);
    this.#index = index;
    this.#forgetNext = index.sequence;
    return index.sequence;
  }

  async advance(): Promise<void> {}

  async apply(entries: readonly LogEntry[]): Promise<void> {
    this.#index.apply(entries);
    const changes = countChanges(entries);
    const changesMax = Math.max(SNAPSHOT_AFTER_CHANGES, this.#index.size);
    const last = entries.at(-1)?.sequence ?? 0;
    this.#changesSinceForgetting += changes;
    if (this.#changesSinceForgetting >= changesMax) {
      this.#changesSinceForgetting = 0;
      this.#index.forget(this.#forgetNext);
      this.#forgetNext = last;
    }
    this.#changesSinceSnapshot += changes;
    const blockIsFull = entries.some(({ sequence }) => sequence % BLOCK === 0);
    const snapshotIsDue = this.#changesSinceSnapshot >= changesMax;
    // Only writers do maintenance, in the background.
    if (this.#appended && (blockIsFull || snapshotIsDue)) {
      if (snapshotIsDue) this.#changesSinceSnapshot = 0;
      void this.#upkeep.run(() => this.#maintain(last, snapshotIsDue));
    }
  }

  async get(keys: readonly string[]): Promise<ReadonlyMap<string, IndexedRow>> {
    return this.#index.rowsOf(keys);
  }

  forgotten(): number {
    return this.#index.forgotten;
  }

  async find(lookup: Lookup): Promise<readonly IndexedRow[]> {
    return this.#index.find(lookup);
  }

  async rebuild(entries: AsyncIterable<readonly LogEntry[]>): Promise<void> {
    let fresh = await this.#window.origin();
    for await (const page of entries) {
      // Entries in the gap were dropped in the meantime and are in the newer base.
      if (page[0]!.sequence > fresh.sequence + 1) fresh = await this.#window.origin();
      fresh.apply(page);
    }
    fresh.forgetAs(this.#index);
    this.#index = fresh;
    await this.#upkeep.run(() => this.#maintain(fresh.sequence, true));
  }

  close(): Promise<void> {
    return this.#upkeep.idle();
  }

  async #maintain(head: number, snapshotIsDue: boolean): Promise<void> {
    try {
      if (snapshotIsDue) {
        // A snapshot must not survive the loss of an entry that it includes.
        const settle = (sequence: number) => this.#log.settle(sequence);
        await writeSnapshot(this.#snapshots, this.#index, settle);
      }
      await this.#log.archive(head);
      await this.#window.move(this.#index);
      for (const name of ["segments", "snapshots", "base"]) {
        await removeAbandoned({ ...this.#place, directory: join(this.#place.directory, name) });
      }
    } catch (error) {
      this.#logger.warn("maintenance of a catalog failed; no data is lost, but opening it may take longer", {
        catalog: this.#place.catalog,
        reason: messageOf(error),
      });
    }
  }

  #parsedSchema(path: string, bytes: Uint8Array): CatalogSchema {
    try {
      const schema = JSON.parse(new TextDecoder().decode(bytes)) as CatalogSchema & {
        readonly format?: number;
      };
      const { format, rowKey, indexKeys } = schema;
      if (format !== undefined && !(Number.isInteger(format) && format >= 1 && format <= FORMAT)) {
        const supported = `this version of Agnes reads formats 1 to ${FORMAT}`;
        this.#corrupt(
          path,
          `its format is ${formatValue(format)}, but ${supported}; a newer version may have written it`,
        );
      }
      if (format !== undefined) this.#log.expect({ head: format >= 3 });
      if (Array.isArray(rowKey) && Array.isArray(indexKeys)) {
        this.#earlier = (format ?? 1) < FORMAT ? { ...schema } : null;
        return { rowKey, indexKeys };
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    return this.#corrupt(path, "it is not a schema");
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#place.catalog, place, reason });
  }
}
