import { dirname } from "node:path";

import {
  AgnesError,
  counted,
  isAgnesError,
  messageOf,
  publishFile,
  temporaryPath,
  type Host,
} from "../base/mod.ts";
import { linesOf } from "./lines.ts";
import { decodeLine, encodeLine } from "./log-line.ts";
import { LogNames } from "./log-names.ts";
import { BLOCK, blockNumbers, blockOf, entryNumbers, LogPaths } from "./log-paths.ts";
import type { LogEntry } from "./storage.ts";

/** Number of entry files read concurrently. */
const READ_AHEAD = 32;
/** A segment up to this size is cached for the next read. */
const CACHED_SIZE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The log in files. An entry is written and synced under a temporary name, then hard-linked to the name of its
 * sequence number, which fails if that name exists. So no lock is needed and no entry is torn.
 *
 * Full blocks of entries become JSON Lines segments, which are kept forever as the audit archive. If the log is no
 * audit trail, the oldest blocks are dropped once a base replaces them.
 */
export class FileLog {
  readonly #catalog: string;
  readonly #paths: LogPaths;
  readonly #host: Pick<Host, "files" | "random" | "now">;
  readonly #names: LogNames;
  /** Blocks whose directory this handle has created or found, and synced. */
  readonly #madeBlocks = new Set<number>();
  #isRootDurable = false;
  /** All entries up to this one are known to be durable. */
  #durable = 0;
  #marked = 0;
  #cached: { readonly block: number; readonly lines: readonly string[] } | null = null;

  constructor(catalog: string, directory: string, host: Pick<Host, "files" | "random" | "now">) {
    this.#catalog = catalog;
    this.#paths = new LogPaths(directory);
    this.#host = host;
    this.#names = new LogNames(catalog, this.#paths, host);
  }

  /** Creates the directories of the log; the caller syncs them. */
  async create(): Promise<void> {
    for (const path of [this.#paths.log, this.#paths.head]) await this.#host.files.makeDirectory(path);
  }

  /** From now on a log without its directory is reported as damaged; so is one without `head`, if expected. */
  expect({ head }: { readonly head: boolean }): void {
    this.#names.hasDirectory = true;
    this.#names.hasHead = head;
  }

  /** Whether there are any entries. */
  exists(): Promise<boolean> {
    return this.#names.exist();
  }

  /**
   * Returns the newest sequence number after checking by name that no entry up to it is missing.
   * @param reached an entry that is known to have existed
   */
  head(reached = 0): Promise<number> {
    this.#names.noteEntry(reached);
    return this.#names.head();
  }

  /** Stores the entry, durably. Returns `false` if its sequence number is taken. */
  async append(entry: LogEntry): Promise<boolean> {
    const { files } = this.#host;
    const { sequence } = entry;
    const block = blockOf(sequence);
    const path = this.#paths.entry(sequence);
    if ((await files.stat(path)) !== null || (await this.#isArchived(block))) return false;
    await this.#checkPredecessor(sequence);
    await this.#makeBlock(block);
    const temporary = temporaryPath(this.#host, path);
    try {
      await files.write(temporary, encodeLine(entry));
      if (!(await files.link(temporary, path))) return false;
    } finally {
      await files.remove(temporary);
    }
    // The name is also free if others filled and archived the block while this writer was suspended.
    if (await this.#isArchived(block)) {
      await files.remove(path);
      return false;
    }
    this.#names.noteEntry(sequence);
    await this.#syncNew(entry);
    await this.#mark(sequence);
    return true;
  }

  /** Makes all entries up to `sequence` durable, including those of other writers. */
  async settle(sequence: number): Promise<void> {
    if (sequence <= this.#durable) return;
    await this.#syncRoot();
    // Earlier blocks are segments or were synced with the first entry after them.
    for (const block of [blockOf(sequence) - 1, blockOf(sequence)]) await this.#syncBlock(block);
    this.#durable = Math.max(this.#durable, sequence);
  }

  /** Reads up to `limit` entries from a sequence number on; none if that entry is dropped. */
  async read(from: number, limit: number): Promise<readonly LogEntry[]> {
    const head = await this.#headFor(from);
    const found: LogEntry[] = [];
    while (found.length < limit && from + found.length <= head) {
      const next = from + found.length;
      const most = Math.min(limit - found.length, head - next + 1, BLOCK - ((next - 1) % BLOCK));
      const entries = (await this.#readFiles(next, most)) ?? (await this.#readSegment(next, most));
      if (entries === null) return [];
      if (entries.length === 0) this.#corrupt(this.#paths.entry(next), "it is missing");
      found.push(...entries);
    }
    return found;
  }

  /** Moves full blocks that are probably not being read into segments. */
  async archive(head: number): Promise<void> {
    const { files } = this.#host;
    for (const block of blockNumbers(await files.list(this.#paths.log))) {
      if (block + 1 >= blockOf(head) || (await this.#names.isDropped((block + 1) * BLOCK))) continue;
      if (!(await this.#isArchived(block))) {
        const entries = await this.#readFiles(block * BLOCK + 1, BLOCK);
        if (entries?.length !== BLOCK) continue;
        const text = entries.map((entry) => `${encodeLine(entry)}\n`).join("");
        await publishFile(this.#host, this.#paths.segment(block), text);
      }
      // Also if another process published the segment: it may not have synced it yet.
      await files.sync(this.#paths.root);
      await files.sync(this.#paths.segments);
      await files.removeDirectory(this.#paths.block(block));
    }
    const marks = entryNumbers(await files.list(this.#paths.head));
    for (const old of marks.slice(0, -1)) await files.remove(this.#paths.mark(old));
  }

  /** Entries up to this one are dropped, as of the last read. */
  get dropped(): number {
    return this.#names.dropped;
  }

  /** Drops the entries up to `sequence`, the last of its block. A durable base must replace them. */
  async drop(sequence: number): Promise<void> {
    const { files } = this.#host;
    const before = sequence / BLOCK;
    for (const [directory, removeBlock] of [
      [this.#paths.segments, (block: number) => files.remove(this.#paths.segment(block))],
      [this.#paths.log, (block: number) => files.removeDirectory(this.#paths.block(block))],
    ] as const) {
      const blocks = blockNumbers(await files.list(directory));
      for (const block of blocks.filter((each) => each < before)) await removeBlock(block);
    }
  }

  /** The newest entry, for a read from a sequence number on. */
  async #headFor(from: number): Promise<number> {
    if (from <= this.#names.known) {
      return (await this.#names.isUnchanged()) ? this.#names.known : this.#names.head();
    }
    // Most reads check for new entries and find none.
    const [next, isUnchanged] = await Promise.all([
      this.#host.files.stat(this.#paths.entry(from)),
      this.#names.isUnchanged(),
    ]);
    return next === null && isUnchanged ? this.#names.known : this.#names.head();
  }

  async #checkPredecessor(sequence: number): Promise<void> {
    const { files } = this.#host;
    const before = sequence - 1;
    if (before === 0) return;
    if ((await files.stat(this.#paths.entry(before))) !== null) return;
    if (await this.#isArchived(blockOf(before))) return;
    this.#corrupt(this.#paths.entry(before), "it is missing, although the next entry is being written");
  }

  /** Makes a new entry durable. If that fails, the entry exists but may not survive a power failure. */
  async #syncNew({ sequence, id }: LogEntry): Promise<void> {
    try {
      await this.#host.files.sync(dirname(this.#paths.entry(sequence)));
    } catch (error) {
      const details = { catalog: this.#catalog, sequence, entry: id, reason: messageOf(error) };
      throw new AgnesError("catalog_outcome_unknown", details, { cause: error });
    }
    if (this.#durable === sequence - 1) this.#durable = sequence;
  }

  /** Creates the second hard link to the newest entry. Failures are ignored: the entry is durable without it. */
  async #mark(sequence: number): Promise<void> {
    const { files } = this.#host;
    try {
      if (this.#marked === 0 && !this.#names.hasHead) await files.makeDirectory(this.#paths.head);
      await files.link(this.#paths.entry(sequence), this.#paths.mark(sequence));
      for (const old of new Set([this.#marked, sequence - 1])) {
        if (old > 0 && old < sequence) await files.remove(this.#paths.mark(old));
      }
      this.#marked = sequence;
    } catch (error) {
      if (!isAgnesError(error, "file_failed") && !isAgnesError(error, "disk_full")) throw error;
    }
  }

  /** Reads entries of one block from their files; `null` if the block is, or may be, a segment. */
  async #readFiles(from: number, limit: number): Promise<readonly LogEntry[] | null> {
    const found: LogEntry[] = [];
    let ahead = 1;
    while (found.length < limit) {
      const first = from + found.length;
      const count = Math.min(ahead, limit - found.length);
      const read = await Promise.all(Array.from({ length: count }, (_, at) => this.#readFile(first + at)));
      const end = read.indexOf(null);
      found.push(...(read.slice(0, end === -1 ? count : end) as LogEntry[]));
      // The first missing entry may have been written during the read, so it is read again, alone.
      if (end === 0) break;
      ahead = end === -1 ? READ_AHEAD : 1;
    }
    return (await this.#isArchived(blockOf(from))) ? null : found;
  }

  async #readFile(sequence: number): Promise<LogEntry | null> {
    const path = this.#paths.entry(sequence);
    const bytes = await this.#readBytes(path);
    return bytes === null ? null : decodeLine(this.#catalog, path, new TextDecoder().decode(bytes), sequence);
  }

  /** Reads entries from a segment; `null` if they are dropped. */
  async #readSegment(from: number, limit: number): Promise<readonly LogEntry[] | null> {
    const block = blockOf(from);
    const path = this.#paths.segment(block);
    if (this.#cached?.block !== block) {
      const bytes = await this.#readBytes(path);
      if (bytes === null && (await this.#names.isDropped(from))) return null;
      if (bytes === null) this.#corrupt(path, "it is missing");
      const lines = [...linesOf(bytes)];
      if (lines.length !== BLOCK)
        this.#corrupt(path, `it contains ${counted(lines.length, "entry", "entries")} instead of ${BLOCK}`);
      const cached = { block, lines };
      if (bytes.length > CACHED_SIZE_BYTES_MAX) return this.#decode(cached, path, from, limit);
      this.#cached = cached;
    }
    return this.#decode(this.#cached!, path, from, limit);
  }

  #decode(
    segment: { readonly lines: readonly string[] },
    path: string,
    from: number,
    limit: number,
  ): readonly LogEntry[] {
    const first = (from - 1) % BLOCK;
    return segment.lines
      .slice(first, first + limit)
      .map((line, at) => decodeLine(this.#catalog, `${path}:${first + at + 1}`, line, from + at));
  }

  /** The bytes of an entry or a segment. */
  async #readBytes(path: string): Promise<Uint8Array | null> {
    try {
      return await this.#host.files.read(path);
    } catch (error) {
      if (isAgnesError(error, "file_failed") && error.details.reason === "EISDIR") {
        this.#corrupt(path, "it is a directory, not a file");
      }
      throw error;
    }
  }

  async #makeBlock(block: number): Promise<void> {
    const { files } = this.#host;
    if (this.#madeBlocks.has(block)) return;
    if ((await files.stat(this.#paths.log)) === null) {
      if (this.#names.hasDirectory || this.#names.known > 0) this.#corrupt(this.#paths.log, "it is missing");
      await this.create();
    }
    await this.#syncRoot();
    await files.makeDirectory(this.#paths.block(block));
    await files.sync(this.#paths.log);
    // Another writer may not have synced its last entry there yet.
    await this.#syncBlock(block - 1);
    this.#madeBlocks.add(block);
  }

  async #syncRoot(): Promise<void> {
    if (this.#isRootDurable) return;
    const { files } = this.#host;
    // Also syncs directories that another process created but may not have synced yet.
    for (const path of [this.#paths.log, this.#paths.root, dirname(this.#paths.root)]) await files.sync(path);
    this.#isRootDurable = true;
  }

  async #syncBlock(block: number): Promise<void> {
    const { files } = this.#host;
    const path = this.#paths.block(block);
    if (block < 0 || (await files.stat(path)) === null) return;
    await files.sync(path).catch(async (error: unknown) => {
      // The block may have been archived in the meantime.
      if ((await files.stat(path)) !== null) throw error;
    });
  }

  /** Whether a block is closed: it is a segment, or is dropped. */
  async #isArchived(block: number): Promise<boolean> {
    const isSegment = (await this.#host.files.stat(this.#paths.segment(block))) !== null;
    return isSegment || this.#names.isDropped((block + 1) * BLOCK);
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#catalog, place, reason });
  }
}
