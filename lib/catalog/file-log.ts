import { dirname, join } from "node:path";

import { AgnesError, publishFile, TEMPORARY_SUFFIX, temporaryPath, type Host, counted } from "../base/mod.ts";
import { linesOf } from "./lines.ts";
import { decodeLine, encodeLine } from "./log-line.ts";
import type { LogEntry } from "./storage.ts";

/** Entries in one directory, and later in one segment. */
export const BLOCK = 256;
/** Entry files read at once. */
const READ_AHEAD = 32;
/** A segment up to this size is kept for the next read. */
const CACHED_SIZE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The log in files: an entry is written whole and made durable under a temporary name, and then linked to
 * the name of its sequence, which fails when another has that name. No lock, and no torn entry.
 *
 * Full blocks of entries become JSON-lines segments, and stay for ever: the audit archive.
 */
export class FileLog {
  readonly #catalog: string;
  readonly #directory: string;
  readonly #host: Pick<Host, "files" | "random">;
  readonly #madeBlocks = new Set<number>();
  #cached: { readonly block: number; readonly lines: readonly string[] } | null = null;

  constructor(catalog: string, directory: string, host: Pick<Host, "files" | "random">) {
    this.#catalog = catalog;
    this.#directory = directory;
    this.#host = host;
  }

  /** Puts the entry at its sequence; `false` when there is one. */
  async append(entry: LogEntry): Promise<boolean> {
    const { files } = this.#host;
    const block = blockOf(entry.sequence);
    const path = this.#entryPath(entry.sequence);
    if ((await files.stat(path)) !== null || (await this.#isArchived(block))) return false;
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
    await files.sync(dirname(path));
    return true;
  }

  /** At most `limit` entries from a sequence on. */
  async read(from: number, limit: number): Promise<readonly LogEntry[]> {
    const found: LogEntry[] = [];
    while (found.length < limit) {
      const next = from + found.length;
      const most = Math.min(limit - found.length, BLOCK - ((next - 1) % BLOCK));
      const entries = (await this.#readFiles(next, most)) ?? (await this.#readSegment(next, most));
      if (entries.length === 0) break;
      found.push(...entries);
    }
    return found;
  }

  /** The newest sequence, after checking by name that no entry before it is missing. */
  async head(): Promise<number> {
    const { files } = this.#host;
    // In this order a block that is being archived is seen in at least one of the two places.
    const open = blockNumbers(await files.list(join(this.#directory, "log")));
    const archived = new Set(blockNumbers(await files.list(join(this.#directory, "segments"))));
    const last = Math.max(-1, ...open, ...archived);
    let head = 0;
    for (let block = 0; block <= last; block++) {
      if (!archived.has(block)) head = await this.#headOfFiles(block, last);
      else head = (block + 1) * BLOCK;
    }
    return head;
  }

  /** Moves full blocks that no reader is likely to be at into segments. */
  async archive(head: number): Promise<void> {
    const { files } = this.#host;
    for (const block of blockNumbers(await files.list(join(this.#directory, "log")))) {
      if (block + 1 >= blockOf(head)) continue;
      if (!(await this.#isArchived(block))) {
        const entries = await this.#readFiles(block * BLOCK + 1, BLOCK);
        if (entries?.length !== BLOCK) continue;
        const text = entries.map((entry) => `${encodeLine(entry)}\n`).join("");
        await publishFile(this.#host, this.#segmentPath(block), text);
      }
      await files.removeDirectory(this.#blockDirectory(block));
    }
  }

  /** Whether there is any trace of entries. */
  async exists(): Promise<boolean> {
    const { files } = this.#host;
    const names = await Promise.all(
      ["log", "segments"].map((name) => files.list(join(this.#directory, name))),
    );
    return names.some((found) => found !== null && found.length > 0);
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
    const path = this.#entryPath(sequence);
    const bytes = await this.#host.files.read(path);
    return bytes === null ? null : decodeLine(this.#catalog, path, new TextDecoder().decode(bytes), sequence);
  }

  async #readSegment(from: number, limit: number): Promise<readonly LogEntry[]> {
    const block = blockOf(from);
    const path = this.#segmentPath(block);
    if (this.#cached?.block !== block) {
      const bytes = await this.#host.files.read(path);
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

  async #headOfFiles(block: number, last: number): Promise<number> {
    const names = (await this.#host.files.list(this.#blockDirectory(block))) ?? [];
    const present = new Set(names.filter((name) => !name.endsWith(TEMPORARY_SUFFIX)));
    const first = block * BLOCK + 1;
    let next = first;
    while (next < first + BLOCK && present.has(entryName(next))) next += 1;
    const whole = next - first === present.size && (block === last || present.size === BLOCK);
    // The block may have been archived while it was looked at.
    if (whole) return next - 1;
    if (await this.#isArchived(block)) return first + BLOCK - 1;
    return this.#corrupt(this.#entryPath(next), "it is missing, though later entries exist");
  }

  async #makeBlock(block: number): Promise<void> {
    if (this.#madeBlocks.has(block)) return;
    const directory = this.#blockDirectory(block);
    await this.#host.files.makeDirectory(directory);
    await this.#host.files.sync(dirname(directory));
    this.#madeBlocks.add(block);
  }

  async #isArchived(block: number): Promise<boolean> {
    return (await this.#host.files.stat(this.#segmentPath(block))) !== null;
  }

  #entryPath(sequence: number): string {
    return join(this.#blockDirectory(blockOf(sequence)), entryName(sequence));
  }

  #blockDirectory(block: number): string {
    return join(this.#directory, "log", blockName(block));
  }

  #segmentPath(block: number): string {
    return join(this.#directory, "segments", `${blockName(block)}.jsonl`);
  }

  #corrupt(place: string, reason: string): never {
    throw new AgnesError("catalog_corrupt", { catalog: this.#catalog, place, reason });
  }
}

function blockOf(sequence: number): number {
  return Math.floor((sequence - 1) / BLOCK);
}

function blockName(block: number): string {
  return String(block).padStart(8, "0");
}

function entryName(sequence: number): string {
  return `${String(sequence).padStart(12, "0")}.json`;
}

function blockNumbers(names: readonly string[] | null): readonly number[] {
  return (names ?? [])
    .filter((name) => /^\d{8}(\.jsonl)?$/.test(name))
    .map((name) => Number.parseInt(name, 10));
}
