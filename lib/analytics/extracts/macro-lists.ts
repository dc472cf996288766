import { join } from "node:path";

import type { Files } from "../../base/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  restrictTo,
  type Connection,
  type DuckDBLimits,
} from "../../duckdb/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { databaseNames } from "../model.ts";
import type { AnalyticsServices } from "../request.ts";
import { bounded } from "./bounded.ts";
import { checkFolder } from "./folder.ts";
import { readAllMacros, type Definition } from "./objects.ts";

/** The maximum number of extracts that are open at once. */
const BATCH = 50;
/** After this timeout, each extract is listed separately. */
const TIMEOUT_MS = 10_000;

/**
 * Lists the macros of many extracts at once. DuckDB lists its own thousands of functions each time, which takes longer
 * than reading the rest of a small extract. No code of the extracts is run, and only their files can be read.
 */
export class MacroLists {
  readonly #files: Files;
  readonly #limits: DuckDBLimits;
  readonly #root: string;
  readonly #waiting: Set<string>;
  readonly #listed = new Map<string, readonly Definition[]>();

  /** @param sources the sources to list, in the order of the requests */
  constructor(
    { host, limits }: Pick<AnalyticsServices, "host" | "limits">,
    root: string,
    sources: readonly string[],
  ) {
    this.#files = host.files;
    this.#limits = limits;
    this.#root = root;
    this.#waiting = new Set(sources);
  }

  /** Returns the macros of an extract; `null` if it must be listed separately. */
  async of(source: string, signal: AbortSignal): Promise<readonly Definition[] | null> {
    if (this.#waiting.has(source)) {
      const sources = [...this.#waiting].slice([...this.#waiting].indexOf(source)).slice(0, BATCH);
      for (const each of sources) this.#waiting.delete(each);
      if (sources.length > 1) await this.#list(sources, signal);
    }
    return this.#listed.get(source) ?? null;
  }

  async #list(sources: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      const what = "listing the macros of extracts";
      const found = await bounded(what, TIMEOUT_MS, signal, (limit) => this.#read(sources, limit));
      for (const [source, macros] of found) this.#listed.set(source, macros);
    } catch (error) {
      // The failing extract is found when each is listed separately.
      if (signal.aborted) throw error;
    }
  }

  async #read(
    sources: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly Definition[]>> {
    const folders = new Map<string, string>();
    for (const source of sources) {
      const folder = await checkFolder(this.#files, this.#root, source).catch(() => null);
      if (folder !== null) folders.set(source, join(folder.directory, EXTRACT_FILE));
    }
    await using database = await openDatabase({ files: this.#files, limits: this.#limits });
    await using connection = await database.connect();
    const paths = [...folders.values()].flatMap((path) => [path, `${path}.wal`]);
    await connection.run(restrictTo({ paths }), { signal });
    const attached = new Map<string, Definition[]>();
    for (const [source, path] of folders) {
      if (await canAttach(connection, source, path, signal)) attached.set(source, []);
    }
    const byName = new Map([...attached].map(([source, macros]) => [databaseNames.extract(source), macros]));
    for (const { database: name, ...macro } of await readAllMacros(connection, signal))
      byName.get(name)?.push(macro);
    return attached;
  }
}

async function canAttach(
  connection: Connection,
  source: string,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  const name = quoteIdentifier(databaseNames.extract(source));
  try {
    await connection.run(`ATTACH ${quoteLiteral(path)} AS ${name} (READ_ONLY)`, { signal });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Fails if the instance is unusable.
    await connection.run("SELECT 1", { signal }).catch(() => Promise.reject(error as Error));
    return false;
  }
}
