import { join } from "node:path";

import {
  isAgnesError,
  makeDirectoryDurably,
  messageOf,
  randomName,
  temporaryPath,
  TEMPORARY_SUFFIX,
  type Host,
  type Log,
} from "../base/mod.ts";
import type { PushEvent } from "../kit/mod.ts";

/** The folder of events that are not merged yet. */
const spoolDirectory = (directory: string): string => join(directory, "spool");

/** The folder of events that could not be merged, and of damaged spool files. @param directory the folder of the extract */
export const quarantineDirectory = (directory: string): string => join(directory, "quarantine", "spool");

/** Durable events, and their file. */
export interface SpooledEvents {
  readonly path: string;
  readonly events: readonly PushEvent[];
}

interface PendingAppend {
  readonly events: readonly PushEvent[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Stores pushed events on disk. Once `append` resolves, they survive a crash.
 *
 * Each file is written under a temporary name, synced and linked to the next number, so several processes can append
 * while another merges. Events that arrive while a file is being written share the next file.
 */
export class Spool {
  readonly #host: Host;
  readonly #directory: string;
  #pending: PendingAppend[] = [];
  #writing = false;

  /** @param directory the folder of the extract */
  constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = spoolDirectory(directory);
  }

  /**
   * Makes events durable. Acknowledge them only after it resolves.
   * @throws `disk_full`, `file_failed`
   */
  append(events: readonly PushEvent[]): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending.push({ events, resolve, reject });
      if (!this.#writing) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#pending.length > 0) {
      const taken = this.#pending;
      this.#pending = [];
      try {
        await this.#write(taken.flatMap((waiting) => waiting.events));
        for (const { resolve } of taken) resolve();
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#writing = false;
  }

  /** Writes events into the next file. Its name is greater than those of all waiting files. */
  async #write(events: readonly PushEvent[]): Promise<void> {
    const { files } = this.#host;
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
    const temporary = temporaryPath(this.#host, join(this.#directory, "events"));
    await makeDirectoryDurably(files, this.#directory);
    try {
      await files.write(temporary, lines, { mode: 0o600 });
      // Another writer may take the same number first. A rename would replace its file.
      for (let number = 0, isTaken = true; isTaken; number += 1) {
        number = Math.max(number, await this.#nextNumber());
        isTaken = !(await files.link(temporary, join(this.#directory, nameOf(number))));
      }
    } finally {
      await files.remove(temporary).catch(() => {});
    }
    await files.sync(this.#directory);
  }

  /**
   * One more than the greatest number of a waiting file, so that files are ordered by arrival even if the clock goes
   * back. The clock only makes the names of files unique that do not wait at the same time.
   */
  async #nextNumber(): Promise<number> {
    const names = (await this.#host.files.list(this.#directory)) ?? [];
    const numbers = names
      .filter((name) => name.endsWith(EVENTS_SUFFIX))
      .map((name) => Number.parseInt(name, 10));
    const waiting = numbers.reduce((greatest, number) => (number > greatest ? number : greatest), 0);
    return Math.max(waiting + 1, this.#host.now().getTime());
  }
}

const EVENTS_SUFFIX = ".ndjson";
const NEWLINE = 10;
/** Digits of the number in a name. Earlier versions began names with as many digits of the time in milliseconds. */
const NUMBER_DIGITS = 15;

function nameOf(number: number): string {
  return `${String(number).padStart(NUMBER_DIGITS, "0")}${EVENTS_SUFFIX}`;
}

/** Counts waiting events, without those of a file that vanishes meanwhile, and returns when the newest file was written. */
export async function spoolCounts(
  host: Host,
  directory: string,
): Promise<{ readonly events: number; readonly newestAt: Date | null }> {
  const folder = spoolDirectory(directory);
  let events = 0;
  let newestMs = 0;
  for (const name of (await host.files.list(folder)) ?? []) {
    if (!name.endsWith(EVENTS_SUFFIX)) continue;
    const path = join(folder, name);
    const [bytes, stat] = [await host.files.read(path), await host.files.stat(path)];
    if (bytes === null || stat === null) continue;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) events += 1;
    newestMs = Math.max(newestMs, stat.modifiedAtMs);
  }
  return { events, newestAt: newestMs === 0 ? null : new Date(newestMs) };
}

/** Whether there are files to merge, or to remove because their writer crashed. */
export async function hasSpooled(host: Host, directory: string): Promise<boolean> {
  return ((await host.files.list(spoolDirectory(directory))) ?? []).length > 0;
}

/** The name of the newest waiting file; null if none waits. */
export async function newestSpooled(host: Host, directory: string): Promise<string | null> {
  const names = (await host.files.list(spoolDirectory(directory))) ?? [];
  return names.filter((name) => name.endsWith(EVENTS_SUFFIX)).at(-1) ?? null;
}

/**
 * Reads spooled events, oldest file first, until there are at least `eventsMax`.
 * @param newest the name of the last file to read. Default: all
 */
export async function readSpool(
  host: Host,
  log: Log,
  directory: string,
  eventsMax: number,
  newest?: string,
): Promise<readonly SpooledEvents[]> {
  const folder = spoolDirectory(directory);
  const found: SpooledEvents[] = [];
  let count = 0;
  for (const name of (await host.files.list(folder)) ?? []) {
    if (!name.endsWith(EVENTS_SUFFIX)) continue;
    if (count >= eventsMax || (newest !== undefined && name > newest)) break;
    const path = join(folder, name);
    const bytes = await host.files.read(path);
    if (bytes === null) continue;
    const events = parseSpool(new TextDecoder().decode(bytes), (reason) =>
      log.error("a spooled line cannot be read; it was never acknowledged", { path, reason }),
    );
    if (events === null) {
      await quarantineFile(host, directory, path, name);
      log.error("a spool file is damaged and was moved to quarantine/spool", { path });
      continue;
    }
    found.push({ path, events });
    count += events.length;
  }
  return found;
}

/**
 * Parses a spool file. A torn last line is skipped, because its writer crashed before it acknowledged the events.
 * Returns null if an earlier line is damaged.
 */
export function parseSpool(text: string, onTorn: (reason: string) => void): readonly PushEvent[] | null {
  const lines = text.split("\n");
  const events: PushEvent[] = [];
  for (const [at, line] of lines.entries()) {
    if (line === "") continue;
    try {
      const event = JSON.parse(line) as Partial<PushEvent>;
      if (typeof event.id !== "string" || event.body === undefined) throw new Error("it is not an event");
      const { id, body, orderingKey } = event;
      events.push({ id, body, ...(orderingKey === undefined ? {} : { orderingKey: String(orderingKey) }) });
    } catch (error) {
      if (at < lines.length - 1) return null;
      onTorn(messageOf(error));
    }
  }
  return events;
}

async function quarantineFile(host: Host, directory: string, path: string, name: string): Promise<void> {
  const folder = quarantineDirectory(directory);
  await host.files.makeDirectory(folder);
  const target = join(folder, name);
  // Names can occur again after their files were merged.
  const isTaken = (await host.files.stat(target)) !== null;
  await host.files.rename(path, isTaken ? `${target}.${randomName(host)}` : target);
}

/** A temporary file older than this belongs to a writer that crashed before it acknowledged its events. */
const TEMPORARY_AGE_MS = 60 * 60 * 1000;

/** Removes temporary files of crashed writers. Recent ones may belong to writers that are still running. */
export async function sweepSpool(host: Host, directory: string): Promise<void> {
  const { files } = host;
  const folder = spoolDirectory(directory);
  for (const name of (await files.list(folder)) ?? []) {
    if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
    const path = join(folder, name);
    const stat = await files.stat(path);
    if (stat !== null && host.now().getTime() - stat.modifiedAtMs > TEMPORARY_AGE_MS)
      await files.remove(path);
  }
}

/** Removes spool files of published events. */
export async function trimSpool(host: Host, log: Log, spooled: readonly SpooledEvents[]): Promise<void> {
  for (const { path } of spooled) {
    try {
      await host.files.remove(path);
    } catch (error) {
      // Merging the events again is idempotent; a later run removes the file.
      if (!isAgnesError(error)) throw error;
      log.warn("a merged spool file could not be removed", { path, error });
    }
  }
}
