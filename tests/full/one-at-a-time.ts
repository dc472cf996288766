import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";

const CACHE = join(ROOT, "node_modules/.cache");
const WAIT_MS = 600_000;

/**
 * Does the work while no other process does work of this kind: files of the suite run at the same time, and two may
 * install the same. It waits for ten minutes; a process that dies blocks no other.
 */
export function oneAtATime<T>(work: () => T): T {
  mkdirSync(CACHE, { recursive: true });
  using lock = new Database(join(CACHE, "agnes-install.lock"));
  lock.run(`PRAGMA busy_timeout = ${WAIT_MS}`);
  lock.run("BEGIN EXCLUSIVE");
  return work();
}
