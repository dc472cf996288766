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

/** Entry files read at once. */
const READ_AHEAD = 32;
/** A segment up to this size is kept for the next read. */
const CACHED_SIZE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The log in files: an entry is written whole and made durable under a temporary name, and then linked to
 * the name of its sequence, which fails when another has that name. No lock, and no torn entry.
 *
 * Full blocks of entries become JSON-lines segments, and stay for ever: the audit archive. Only of a log that is no
 * audit the oldest blocks are dropped, when a base stands for them.
 */
export class FileLog {
  readonly #catalog: string;
  readonly #paths: LogPaths;
  readonly #host: Pick<Host, "files" | "random" | "now">;
  readonly #names: LogNames;
  /** Blocks whose directory this handle has made, or found, and made durable. */
  readonly #madeBlocks = new Set<number>();
  #isRootDurable = false;
  /** Every entry up to here was made durable, as this handle knows. */
  #durable = 0;
  #marked = 0;
  #cached: { readonly block: number; readonly lines: readonly string[] } | null = null;

  constructor(catalog: string, directory: string, host: Pick<Host, "files" | "random" | "now">) {
    this.#catalog = catalog;
    this.#paths = new LogPaths(directory);
    this.#host = host;
    this.#names = new LogNames(catalog, this.#paths, host);
  }

  /** Makes the directories of the log; the caller makes that durable. */
  async create(): Promise<void> {
    for (const path of [this.#paths.log, this.#paths.head]) await this.#host.files.makeDirectory(path);
  }

  /** From now on a log without its directory is damaged, and so is one without that of its second name, if expected. */
  expect({ head }: { readonly head: boolean }): void {
    this.#names.hasDirectory = true;
    this.#names.hasHead = head;
  }

  /** Whether there is any trace of entries. */
  exists(): Promise<boolean> {
    return this.#names.exist();
  }

  /**
   * The newest sequence, after checking by name that no entry up to it is missing.
   * @param reached an entry that is known to have been there
   */
  head(reached = 0): Promise<number> {
    this.#names.saw(reached);
    return this.#names.head();
  }

  /** Puts the entry at its sequence, durably; `false` when there is one. */
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
    // A writer that slept while others filled and archived the block has found a free name, but no free place.
    if (await this.#isArchived(block)) {
      await files.remove(path);
      return false;
    }
    this.#names.saw(sequence);
    await this.#syncNew(entry);
    await this.#mark(sequence);
    return true;
  }

  /** Makes every entry up to one durable, whoever wrote it. */
  async settle(sequence: number): Promise<void> {
    if (sequence <= this.#durable) return;
    await this.#syncRoot();
    // Blocks before these two are segments, or were made durable with the first entry after them.
    for (const block of [blockOf(sequence) - 1, blockOf(sequence)]) await this.#syncBlock(block);
    this.#durable = Math.max(this.#durable, sequence);
  }

  /** At most `limit` entries from a sequence on: all there are; none from one that is dropped. */
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

  /** Moves full blocks that no reader is likely to be at into segments. */
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
      // Also when another process published the segment: it may not have come to this yet.
      await files.sync(this.#paths.root);
      await files.sync(this.#paths.segments);
      await files.removeDirectory(this.#paths.block(block));
    }
    const marks = entryNumbers(await files.list(this.#paths.head));
    for (const old of marks.slice(0, -1)) await files.remove(this.#paths.mark(old));
  }

  /** Entries up to here are dropped, as far as the last read has seen. */
  get dropped(): number {
    return this.#names.dropped;
  }

  /** Drops the entries up to one, the last of its block. A durable base must stand for them. */
  async drop(sequence: number): Promise<void> {
    const { files } = this.#host;
    const before = sequence / BLOCK;
    for (const [directory, place] of [
      [this.#paths.segments, (block: number) => files.remove(this.#paths.segment(block))],
      [this.#paths.log, (block: number) => files.removeDirectory(this.#paths.block(block))],
    ] as const) {
      const blocks = blockNumbers(await files.list(directory));
      for (const block of blocks.filter((each) => each < before)) await place(block);
    }
  }

  /** The newest entry there is to read, when someone reads from a sequence on. */
  async #headFor(from: number): Promise<number> {
    if (from <= this.#names.known) {
      return (await this.#names.isUnchanged()) ? this.#names.known : this.#names.head();
    }
    // Mostly somebody looks whether there is anything new, and there is not.
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
    this.#corrupt(this.#paths.entry(before), "it is missing, and the next entry would follow it");
  }

  /** Makes a new entry durable. When that fails, the entry is there, but may be lost with the power. */
  async #syncNew({ sequence, id }: LogEntry): Promise<void> {
    try {
      await this.#host.files.sync(dirname(this.#paths.entry(sequence)));
    } catch (error) {
      const details = { catalog: this.#catalog, sequence, entry: id, reason: messageOf(error) };
      throw new AgnesError("catalog_outcome_unknown", details, { cause: error });
    }
    if (this.#durable === sequence - 1) this.#durable = sequence;
  }

  /** Gives the newest entry its second name. It is only a witness: the entry is durable without it. */
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

  /** Entries of one block that are files of their own; `null` when the block is, or may be, a segment. */
  async #readFiles(from: number, limit: number): Promise<readonly LogEntry[] | null> {
    const found: LogEntry[] = [];
    let ahead = 1;
    while (found.length < limit) {
      const first = from + found.length;
      const count = Math.min(ahead, limit - found.length);
      const read = await Promise.all(Array.from({ length: count }, (_, at) => this.#readFile(first + at)));
      const end = read.indexOf(null);
      found.push(...(read.slice(0, end === -1 ? count : end) as LogEntry[]));
      // The first one missing may have been written while those after it were read; it is read again, alone.
      if (end === 0) break;
      ahead = end === -1 ? READ_AHEAD : 1;
    }
    return (await this.#isArchived(blockOf(from))) ? null : found;
  }

  async #readFile(sequence: number): Promise<LogEntry | null> {
    const path = this.#paths.entry(sequence);
    const bytes = await this.#readPiece(path);
    return bytes === null ? null : decodeLine(this.#catalog, path, new TextDecoder().decode(bytes), sequence);
  }

  /** `null` when they are dropped. */
  async #readSegment(from: number, limit: number): Promise<readonly LogEntry[] | null> {
    const block = blockOf(from);
    const path = this.#paths.segment(block);
    if (this.#cached?.block !== block) {
      const bytes = await this.#readPiece(path);
      if (bytes === null && (await this.#names.isDropped(from))) return null;
      if (bytes === null) this.#corrupt(path, "it is gone");
      const lines = [...linesOf(bytes)];
      if (lines.length !== BLOCK)
        this.#corrupt(path, `it holds ${counted(lines.length, "entry", "entries")}, not ${BLOCK}`);
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

  /** The bytes of an entry or a segment; what is no file there is damage. */
  async #readPiece(path: string): Promise<Uint8Array | null> {
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
    // What another writer put there last, it may not have come to make durable.
    await this.#syncBlock(block - 1);
    this.#madeBlocks.add(block);
  }

  async #syncRoot(): Promise<void> {
    if (this.#isRootDurable) return;
    const { files } = this.#host;
    // Also what another process made, which it may not have come to make durable.
    for (const path of [this.#paths.log, this.#paths.root, dirname(this.#paths.root)]) await files.sync(path);
    this.#isRootDurable = true;
  }

  async #syncBlock(block: number): Promise<void> {
    const { files } = this.#host;
    const path = this.#paths.block(block);
    if (block < 0 || (await files.stat(path)) === null) return;
    await files.sync(path).catch(async (error: unknown) => {
      // It may have been archived meanwhile.
      if ((await files.stat(path)) !== null) throw error;
    });
  }

  /** Whether a block takes no entries any more: it is a segment, or was one that is dropped. */
  async #isArchived(block: number): Promise<boolean> {
    const isSegment = (await this.#host.files.stat(this.#paths.segment(block))) !== null;
    return isSegment || this.#names.isDropped((block + 1) * BLOCK);
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#catalog, place, reason });
  }
}
