import { join } from "node:path";

import { isAgnesError, messageOf, type Host, type Log } from "../../base/mod.ts";
import { keptNumbers, readExtract, readGeneration, type ExtractState, type Part } from "../../extract/mod.ts";
import { EXTRACT_FILE, generationPath } from "../../extract/format/mod.ts";
import { dataPaths } from "../../workspace/mod.ts";
import { fileVersion } from "../published-version.ts";

/** What is known of the extract of a source. */
export interface PublishedExtract {
  /** Changes when the extract does. */
  readonly version: string;
  /** The published state; null if `problem` is set. */
  readonly state: ExtractState | null;
  /** Why there is no state: it is not there, another program wrote it, or it cannot be read now. */
  readonly problem: "not_published" | "foreign" | "unreadable" | null;
}

/** The parts of one generation, by the name of their table in lower case. */
export type GenerationParts = ReadonlyMap<string, readonly Part[]>;

/** Earlier generations to keep in memory. */
const GENERATIONS_MAX = 50;

/** The extracts of a workspace, each read again only when its file changed. */
export class PublishedExtracts {
  readonly #host: Pick<Host, "files">;
  readonly #log: Log;
  readonly #dataDirectory: string;
  readonly #extracts = new Map<
    string,
    { readonly version: string; readonly found: Promise<PublishedExtract> }
  >();
  readonly #generations = new Map<
    string,
    { readonly version: string; readonly parts: Promise<GenerationParts | null> }
  >();

  constructor(host: Pick<Host, "files">, log: Log, dataDirectory: string) {
    this.#host = host;
    this.#log = log;
    this.#dataDirectory = dataDirectory;
  }

  /** The folder of the extract of a source. */
  directoryOf(source: string): string {
    return dataPaths.extract(this.#dataDirectory, source);
  }

  async read(source: string): Promise<PublishedExtract> {
    const version = await this.#versionOf(source);
    const known = this.#extracts.get(source);
    if (version !== null && known?.version === version) return known.found;
    // The version is older than what is read, so a change in between is seen at the next request.
    const current = { version: version ?? "", found: this.#read(source, version ?? "") };
    this.#extracts.set(source, current);
    // A failure may be temporary.
    if ((await current.found).problem === "unreadable" && this.#extracts.get(source) === current)
      this.#extracts.delete(source);
    return current.found;
  }

  /**
   * Returns the parts of an earlier generation; null if it is not kept.
   * @throws `extract_unreadable`, `file_failed`
   */
  async earlier(source: string, number: number): Promise<GenerationParts | null> {
    const directory = this.directoryOf(source);
    const path = generationPath(directory, number);
    const version = await fileVersion(this.#host, path);
    const known = this.#generations.get(path);
    if (version === null) return null;
    if (known?.version === version) return known.parts;
    const parts = readGeneration(this.#host.files, directory, number).then(
      (state) => state && partsOf(state),
    );
    this.#generations.delete(path);
    const [oldest] = this.#generations.keys();
    if (this.#generations.size >= GENERATIONS_MAX) this.#generations.delete(oldest!);
    this.#generations.set(path, { version, parts });
    parts.catch(() => this.#generations.delete(path));
    return parts;
  }

  /** Returns the numbers of the kept earlier generations, newest first. */
  async kept(source: string): Promise<readonly number[]> {
    const numbers = await keptNumbers(this.#host.files, this.directoryOf(source));
    return [...numbers].sort((a, b) => b - a);
  }

  /** @returns null: it cannot be determined now */
  async #versionOf(source: string): Promise<string | null> {
    try {
      return (await fileVersion(this.#host, join(this.directoryOf(source), EXTRACT_FILE))) ?? "missing";
    } catch (error) {
      if (isAgnesError(error)) return null;
      throw error;
    }
  }

  async #read(source: string, version: string): Promise<PublishedExtract> {
    try {
      const state = await readExtract(this.#host.files, this.directoryOf(source));
      return { version, state, problem: state === null ? "not_published" : null };
    } catch (error) {
      if (isAgnesError(error, "extract_foreign")) return { version, state: null, problem: "foreign" };
      if (!isAgnesError(error)) throw error;
      this.#log.warn("an extract cannot be read for its manifest", { source, reason: messageOf(error) });
      return { version: `${version} unreadable`, state: null, problem: "unreadable" };
    }
  }
}

function partsOf({ tables }: ExtractState): GenerationParts {
  return new Map(tables.map(({ name, parts }) => [name.toLowerCase(), parts]));
}
