import { AgnesError, TEMPORARY_SUFFIX, type Host } from "../base/mod.ts";
import { BLOCK, blockNumbers, entryNumbers, type LogPaths } from "./log-paths.ts";
import { basesOf } from "./log-window.ts";

/** A directory that changed so recently may change again without a new time. */
const SETTLED_MS = 100;
/** How often the names are read again when entries appear while they are read. */
const ATTEMPTS = 5;

/** A piece of the log that is not where it should be. */
interface Missing {
  readonly place: string;
  readonly reason: string;
}

/**
 * Which entries of a log exist, by the names of its files alone, and whether all are there that should be.
 *
 * The newest entry has a second name in `head`, made after it is durable, so a tail that is lost is noticed.
 */
export class LogNames {
  readonly #catalog: string;
  readonly #paths: LogPaths;
  readonly #host: Pick<Host, "files" | "now">;
  /** Entries are known to exist up to here. */
  #known = 0;
  /** Entries up to here are dropped: a base stands for them. */
  #dropped = 0;
  /** The entry that the second name shows; `null` before it was looked up. */
  #reached: number | null = null;
  #open: readonly number[] = [];
  /** Directories that had not changed for a while when they were read. */
  readonly #listed = new Map<string, { readonly stamp: number; readonly names: readonly string[] }>();
  /** What the directories of the log looked like when the names were read; `null`: they must be read. */
  #stamps: string | null = null;
  /** Whether the catalog was made with a directory for its log; one made by an earlier version was not. */
  hasDirectory = false;
  /** Whether it was made with a directory for the second name. */
  hasHead = false;

  constructor(catalog: string, paths: LogPaths, host: Pick<Host, "files" | "now">) {
    this.#catalog = catalog;
    this.#paths = paths;
    this.#host = host;
  }

  /** The largest sequence that is known to exist. */
  get known(): number {
    return this.#known;
  }

  /** Entries up to here are dropped, as far as is known. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether an entry is dropped, for good. */
  async isDropped(sequence: number): Promise<boolean> {
    if (sequence > this.#dropped) await this.#lookAtBase();
    return sequence <= this.#dropped;
  }

  /** An entry was seen, or was put in place. */
  saw(sequence: number): void {
    this.#known = Math.max(this.#known, sequence);
  }

  /** Whether no name of the log changed since they were checked, as far as the times of directories show. */
  async isUnchanged(): Promise<boolean> {
    return this.#stamps !== null && (await this.#stampsOf(this.#open)) === this.#stamps;
  }

  /**
   * The newest sequence, after checking by name that it, and every entry before it, is there.
   * @throws `catalog_corrupt` naming what is missing
   */
  async head(): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#look();
      if (typeof found === "number") {
        this.saw(found);
        return found;
      }
      // A directory that is read while entries are put into it may show a later one, but not an earlier one.
      const isThere = (await this.#host.files.stat(found.place)) !== null;
      const dropped = this.#dropped;
      await this.#lookAtBase();
      if ((!isThere && this.#dropped === dropped) || attempt === ATTEMPTS)
        return this.#corrupt(found.place, found.reason);
    }
  }

  /** Whether there is any trace of entries; the directory of a block is none. */
  async exist(): Promise<boolean> {
    const { base, head, log, segments } = this.#paths;
    const names = await Promise.all([base, head, segments].map((path) => this.#list(path)));
    if (names.some((found) => found !== null && found.length > 0)) return true;
    const inLog = await this.#list(log);
    const blocks = blockNumbers(inLog);
    if (inLog !== null && inLog.length > blocks.length) return true;
    for (const block of blocks) {
      const entries = await this.#list(this.#paths.block(block));
      if (entries !== null && entries.length > 0) return true;
    }
    return false;
  }

  /** The names in a directory; `null` when there is none. Throws when something else is in its place. */
  async #list(path: string): Promise<readonly string[] | null> {
    const { files, now } = this.#host;
    const stat = await files.stat(path);
    if (stat === null) return null;
    if (!stat.isDirectory) this.#corrupt(path, "it is a file, not a directory");
    const listed = this.#listed.get(path);
    if (listed?.stamp === stat.modifiedAtMs) return listed.names;
    this.#listed.delete(path);
    const names = await files.list(path);
    if (names !== null && stat.modifiedAtMs + SETTLED_MS < now().getTime()) {
      this.#listed.set(path, { stamp: stat.modifiedAtMs, names });
    }
    return names;
  }

  async #look(): Promise<number | Missing> {
    const { log, segments, head } = this.#paths;
    this.#stamps = null;
    // Once: whoever has seen the log knows better than the second name how far it reached.
    this.#reached ??= Math.max(0, ...entryNumbers(await this.#list(head)));
    // A block that is archived meanwhile may be seen in neither place; `#endOfBlock` looks again.
    const [stamps, blocks, names] = await Promise.all([
      this.#stampsOf(this.#open),
      this.#list(log),
      this.#list(segments),
    ]);
    // Afterwards, because a base is there before anything is dropped.
    const reached = Math.max(this.#known, this.#reached, await this.#lookAtBase());
    const open = blockNumbers(blocks);
    const archived = new Set(blockNumbers(names));
    if (blocks === null && (this.hasDirectory || reached > 0 || archived.size > 0)) {
      return { place: log, reason: "it is missing" };
    }
    if (this.hasHead && (await this.#host.files.stat(head)) === null) {
      return { place: head, reason: "it is missing, so nothing shows how far the log reached" };
    }
    const last = Math.max(-1, ...open, ...archived);
    let newest = this.#dropped;
    for (let block = newest / BLOCK; block <= last; block++) {
      const end = archived.has(block) ? (block + 1) * BLOCK : await this.#endOfBlock(block, last, open);
      if (typeof end !== "number") return end;
      newest = end;
    }
    if (newest < reached) {
      const place = this.#paths.entry(newest + 1);
      return { place, reason: `it is missing, though the log reached entry ${reached}` };
    }
    if (String(open) === String(this.#open)) this.#stamps = stamps;
    this.#open = open;
    return newest;
  }

  /** Gives the entry whose state the base is. */
  async #lookAtBase(): Promise<number> {
    const base = basesOf(this.#paths, await this.#list(this.#paths.base)).at(-1);
    this.#dropped = Math.max(this.#dropped, base?.dropped ?? 0);
    return base?.sequence ?? 0;
  }

  async #endOfBlock(block: number, last: number, open: readonly number[]): Promise<number | Missing> {
    const first = block * BLOCK + 1;
    const names = open.includes(block) ? await this.#list(this.#paths.block(block)) : null;
    const present = new Set(entryNumbers(names));
    const others = (names ?? []).filter((name) => !name.endsWith(TEMPORARY_SUFFIX)).length - present.size;
    let next = first;
    while (next < first + BLOCK && present.has(next)) next += 1;
    const isWhole = names !== null && others === 0 && next - first === present.size;
    if (isWhole && (block === last || present.size === BLOCK)) return next - 1;
    // The block may have been archived while it was looked at.
    if ((await this.#host.files.stat(this.#paths.segment(block))) !== null) return first + BLOCK - 1;
    if (names === null) return { place: this.#paths.segment(block), reason: "it is missing" };
    const place = this.#paths.entry(next);
    return { place, reason: "it is missing, though later entries exist" };
  }

  async #stampsOf(open: readonly number[]): Promise<string | null> {
    const { head, log, segments } = this.#paths;
    const nowMs = this.#host.now().getTime();
    const paths = [log, segments, ...open.map((block) => this.#paths.block(block))];
    const stats = await Promise.all(paths.map((path) => this.#host.files.stat(path)));
    const isSettled = stats.every((stat) => stat === null || stat.modifiedAtMs + SETTLED_MS < nowMs);
    if (this.hasHead && (await this.#host.files.stat(head)) === null) return null;
    return isSettled ? JSON.stringify([open, stats.map((stat) => stat?.modifiedAtMs)]) : null;
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#catalog, place, reason });
  }
}
