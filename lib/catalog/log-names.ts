import { AgnesError, TEMPORARY_SUFFIX, type Host } from "../base/mod.ts";
import { BLOCK, blockNumbers, entryNumbers, type LogPaths } from "./log-paths.ts";
import { basesOf } from "./log-window.ts";

/** A directory that changed this recently may change again without a new modification time. */
const SETTLED_MS = 100;
/** Number of times the names are read if entries appear during the read. */
const ATTEMPTS = 5;

/** A missing part of the log. */
interface Missing {
  readonly place: string;
  readonly reason: string;
}

/**
 * Determines from file names which entries of a log exist and whether any are missing.
 *
 * The newest entry has a second hard link in `head`, created after the entry is durable, to detect a lost tail.
 */
export class LogNames {
  readonly #catalog: string;
  readonly #paths: LogPaths;
  readonly #host: Pick<Host, "files" | "now">;
  /** The last entry that is known to exist. */
  #known = 0;
  /** Entries up to this one are dropped and replaced by a base. */
  #dropped = 0;
  /** The entry that the link in `head` names; `null` before it is read. */
  #reached: number | null = null;
  #open: readonly number[] = [];
  /** Names of directories that had not changed for a while when they were read. */
  readonly #listed = new Map<string, { readonly stamp: number; readonly names: readonly string[] }>();
  /** The state of the log's directories when the names were read; `null` if they must be read. */
  #stamps: string | null = null;
  /** Whether the catalog was created with a directory for its log. Earlier versions did not create it. */
  hasDirectory = false;
  /** Whether the catalog was created with the directory `head`. */
  hasHead = false;

  constructor(catalog: string, paths: LogPaths, host: Pick<Host, "files" | "now">) {
    this.#catalog = catalog;
    this.#paths = paths;
    this.#host = host;
  }

  /** The last entry that is known to exist. */
  get known(): number {
    return this.#known;
  }

  /** Entries up to this one are known to be dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether an entry is dropped. */
  async isDropped(sequence: number): Promise<boolean> {
    if (sequence > this.#dropped) await this.#readBase();
    return sequence <= this.#dropped;
  }

  /** Records that an entry exists. */
  noteEntry(sequence: number): void {
    this.#known = Math.max(this.#known, sequence);
  }

  /** Whether the names are unchanged since they were checked, by the modification times of the directories. */
  async isUnchanged(): Promise<boolean> {
    return this.#stamps !== null && (await this.#stampsOf(this.#open)) === this.#stamps;
  }

  /**
   * Returns the newest sequence number after checking by name that all entries up to it exist.
   * @throws `catalog_corrupt` naming the missing file
   */
  async head(): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#readNames();
      if (typeof found === "number") {
        this.noteEntry(found);
        return found;
      }
      // A listing that runs while entries are added may contain a later entry but miss an earlier one.
      const isThere = (await this.#host.files.stat(found.place)) !== null;
      const dropped = this.#dropped;
      await this.#readBase();
      if ((!isThere && this.#dropped === dropped) || attempt === ATTEMPTS)
        return this.#corrupt(found.place, found.reason);
    }
  }

  /** Whether there is any trace of entries. An empty block directory is none. */
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

  /** The names in a directory; `null` if it does not exist. Throws if the path is a file. */
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

  async #readNames(): Promise<number | Missing> {
    const { log, segments, head } = this.#paths;
    this.#stamps = null;
    // Read once: afterwards `#known` is at least as recent as the link in `head`.
    this.#reached ??= Math.max(0, ...entryNumbers(await this.#list(head)));
    // A block that is archived during the read may be in neither listing; `#endOfBlock` checks again.
    const [stamps, blocks, names] = await Promise.all([
      this.#stampsOf(this.#open),
      this.#list(log),
      this.#list(segments),
    ]);
    // Read last, because a base is written before any entry is dropped.
    const reached = Math.max(this.#known, this.#reached, await this.#readBase());
    const open = blockNumbers(blocks);
    const archived = new Set(blockNumbers(names));
    if (blocks === null && (this.hasDirectory || reached > 0 || archived.size > 0)) {
      return { place: log, reason: "it is missing" };
    }
    if (this.hasHead && (await this.#host.files.stat(head)) === null) {
      return { place: head, reason: "it is missing, so the end of the log is unknown" };
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
      return { place, reason: `it is missing, although the log reached entry ${reached}` };
    }
    if (String(open) === String(this.#open)) this.#stamps = stamps;
    this.#open = open;
    return newest;
  }

  /** Returns the sequence number of the newest base. */
  async #readBase(): Promise<number> {
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
    // The block may have been archived during the check.
    if ((await this.#host.files.stat(this.#paths.segment(block))) !== null) return first + BLOCK - 1;
    if (names === null) return { place: this.#paths.segment(block), reason: "it is missing" };
    const place = this.#paths.entry(next);
    return { place, reason: "it is missing, although later entries exist" };
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
