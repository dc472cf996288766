import { join } from "node:path";

import {
  isAgnesError,
  messageOf,
  publishFile,
  randomName,
  TEMPORARY_SUFFIX,
  type Host,
  type Log,
} from "../base/mod.ts";
import type { PushEvent } from "../kit/mod.ts";

/** Where events wait until they are merged. */
const spoolDirectory = (directory: string): string => join(directory, "spool");

/** Events that are safe on the disk, and the file they are in. */
export interface SpooledEvents {
  readonly path: string;
  readonly events: readonly PushEvent[];
}

interface Waiting {
  readonly events: readonly PushEvent[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keeps pushed events on the disk: when `append` resolves they outlive the process.
 *
 * Every file is written whole under a temporary name, synced and renamed, so that several processes may append while
 * another merges. Events that come while a file is being written share the next one.
 */
export class Spool {
  readonly #host: Host;
  readonly #directory: string;
  #waiting: Waiting[] = [];
  #writing = false;
  #number = 0;

  /** @param directory the folder of the extract */
  constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = spoolDirectory(directory);
  }

  /**
   * Makes events durable; acknowledge them after it resolves, never before.
   * @throws `disk_full`, `file_failed`
   */
  append(events: readonly PushEvent[]): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, resolve, reject });
      if (!this.#writing) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const taken = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(taken.flatMap((waiting) => waiting.events));
        for (const { resolve } of taken) resolve();
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#writing = false;
  }

  async #write(events: readonly PushEvent[]): Promise<void> {
    const time = String(this.#host.now().getTime()).padStart(15, "0");
    const number = String(this.#number++).padStart(8, "0");
    const path = join(this.#directory, `${time}-${number}-${process.pid}-${randomName(this.#host)}.ndjson`);
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
    await publishFile(this.#host, path, lines, { mode: 0o600 });
  }
}

/** The spooled events, oldest file first, until there are at least `eventsMax`. */
export async function readSpool(
  host: Host,
  log: Log,
  directory: string,
  eventsMax: number,
): Promise<readonly SpooledEvents[]> {
  const folder = spoolDirectory(directory);
  const found: SpooledEvents[] = [];
  let count = 0;
  for (const name of (await host.files.list(folder)) ?? []) {
    if (!name.endsWith(".ndjson")) continue;
    if (count >= eventsMax) break;
    const path = join(folder, name);
    const bytes = await host.files.read(path);
    if (bytes === null) continue;
    const events = parseSpool(new TextDecoder().decode(bytes), (reason) =>
      log.error("a spooled line cannot be read; it was never acknowledged", { path, reason }),
    );
    if (events === null) {
      await setAside(host, directory, path, name);
      log.error("a spool file is damaged and was set aside in quarantine/spool", { path });
      continue;
    }
    found.push({ path, events });
    count += events.length;
  }
  return found;
}

/**
 * The events of a spool file. A torn last line is left out: its writer died before it acknowledged anything.
 * Null when a line before the last is damaged.
 */
export function parseSpool(text: string, onTorn: (reason: string) => void): readonly PushEvent[] | null {
  const lines = text.split("\n");
  const events: PushEvent[] = [];
  for (const [at, line] of lines.entries()) {
    if (line === "") continue;
    try {
      const event = JSON.parse(line) as Partial<PushEvent>;
      if (typeof event.id !== "string" || event.body === undefined) throw new Error("it is no event");
      events.push({ id: event.id, body: event.body });
    } catch (error) {
      if (at < lines.length - 1) return null;
      onTorn(messageOf(error));
    }
  }
  return events;
}

async function setAside(host: Host, directory: string, path: string, name: string): Promise<void> {
  const folder = join(directory, "quarantine", "spool");
  await host.files.makeDirectory(folder);
  await host.files.rename(path, join(folder, name));
}

/** After so long a file that still has its temporary name was left by a process that died before it acknowledged. */
const TEMPORARY_AGE_MS = 60 * 60 * 1000;

/** Removes what dead writers left; those that live write beside a merge, so only old files go. */
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

/** Removes events that are published. */
export async function trimSpool(host: Host, log: Log, spooled: readonly SpooledEvents[]): Promise<void> {
  for (const { path } of spooled) {
    try {
      await host.files.remove(path);
    } catch (error) {
      // Merging them again changes nothing; a later run removes them.
      if (!isAgnesError(error)) throw error;
      log.warn("a merged spool file could not be removed", { path, error });
    }
  }
}
