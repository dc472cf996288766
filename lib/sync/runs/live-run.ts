import { join } from "node:path";

import * as v from "valibot";

import { publishFile, startTimer, type Host, type Log } from "../../base/mod.ts";
import type { ExtractProgress } from "../../extract/mod.ts";
import type { TableProgress } from "./types.ts";

/** How often the progress is written for other processes. */
const WRITE_EVERY_MS = 1000;

const tableProgress = v.object({
  table: v.string(),
  phase: v.string(),
  rows: v.number(),
  sizeBytes: v.number(),
  share: v.nullable(v.number()),
});

/** The file of a run that is not over: how far it is. */
const liveFile = v.object({ id: v.string(), progress: v.array(tableProgress) });

const pathOf = (directory: string, source: string): string => join(directory, `${source}.json`);

/** The progress of one run, in memory and in a file for other processes. */
export class LiveRun {
  readonly #tables = new Map<string, TableProgress>();
  readonly #services: { readonly host: Host; readonly log: Log };
  readonly #run: { readonly id: string; readonly source: string };
  readonly #directory: string;
  #stopTimer: (() => void) | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(
    services: { readonly host: Host; readonly log: Log },
    directory: string,
    run: { readonly id: string; readonly source: string },
  ) {
    this.#services = services;
    this.#directory = directory;
    this.#run = run;
  }

  get progress(): readonly TableProgress[] {
    return [...this.#tables.values()];
  }

  update(progress: ExtractProgress): void {
    this.#tables.set(progress.table, progressOf(progress));
    if (this.#isOver) return;
    this.#stopTimer ??= startTimer(WRITE_EVERY_MS, () => {
      this.#stopTimer = null;
      this.#writing = this.#writing
        .then(() => this.#write())
        .catch((error: unknown) => {
          this.#services.log.warn("cannot write the progress of a run", { run: this.#run.id, error });
        });
    });
  }

  /** Removes the file. Never throws. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#stopTimer?.();
    await this.#writing;
    const { host, log } = this.#services;
    try {
      await host.files.remove(pathOf(this.#directory, this.#run.source));
    } catch (error) {
      log.warn("the progress of a run was not removed", { run: this.#run.id, error });
    }
  }

  async #write(): Promise<void> {
    const { host } = this.#services;
    const path = pathOf(this.#directory, this.#run.source);
    const file: v.InferOutput<typeof liveFile> = { id: this.#run.id, progress: [...this.progress] };
    await publishFile(host, path, JSON.stringify(file));
  }
}

/** Returns the progress of a run of another process; empty if it is not known. */
export async function readProgress(
  host: Pick<Host, "files">,
  directory: string,
  { id, source }: { readonly id: string; readonly source: string },
): Promise<readonly TableProgress[]> {
  const bytes = await host.files.read(pathOf(directory, source));
  const live = bytes === null ? null : v.safeParse(liveFile, parsed(bytes));
  return live?.success === true && live.output.id === id ? live.output.progress : [];
}

/** The file is written by one rename, so text that is not JSON is damage, which the run replaces. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function progressOf(progress: ExtractProgress): TableProgress {
  const { table, phase, sourcePhase, rows, sizeBytes, totalRows, bytesRead, totalBytes } = progress;
  const share =
    bytesRead !== undefined && totalBytes !== undefined && totalBytes > 0
      ? bytesRead / totalBytes
      : totalRows !== undefined && totalRows > 0
        ? rows / totalRows
        : null;
  return {
    table,
    phase: phase === "reading" ? (sourcePhase ?? phase) : phase,
    rows,
    sizeBytes,
    share: share === null ? null : Math.min(1, share),
  };
}
