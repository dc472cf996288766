import { fileURLToPath } from "node:url";

import { AgnesError, formatValue } from "../../base/mod.ts";
import { profileMemoryMb } from "../../profile/mod.ts";
import type { WorkspaceConfig } from "../../workspace/mod.ts";

/**
 * The processes in which syncs run the sources; see `syncProcesses` of `createAgnes`.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from "node:url";
 * import { createAgnes } from "agnes";
 * import files from "agnes/plugins/files";
 *
 * const module = fileURLToPath(import.meta.resolve("agnes/plugins/files"));
 * await using agnes = await createAgnes({ plugins: [files], syncProcesses: { plugins: [module] } });
 * const { sources } = await agnes.sync();
 * for (const { source, error } of sources) console.log(source, error?.code ?? "synced");
 * ```
 */
export interface SyncProcessOptions {
  /**
   * The modules of the plugins of `createAgnes`, as absolute paths; each exports its plugin as default. A process loads
   * plugins of `agnes.yaml` and of the folder `plugins/` by itself. Ignored if `command` is set. Default: none.
   */
  readonly plugins?: readonly string[];
  /**
   * The memory of one process that it shares with no other, in MB. Above it the process is killed, and its run fails with
   * `sync_memory_exceeded`. Default: a quarter more than `limits.memoryMb` of the workspace, and 768 MB; for profiles, a
   * quarter more than the memory of a profile, which is at most 2,048 MB, and 768 MB.
   */
  readonly memoryMb?: number;
  /** The time that a stopped run has before its process is killed, in milliseconds. Default: 10,000. */
  readonly graceMs?: number;
  /**
   * The program that runs a source, and its arguments; it calls `runSyncProcess`. Default: this runtime, with a file of
   * this package. Programs bundled into one file must set it.
   */
  readonly command?: readonly [string, ...string[]];
}

/** Options of sync processes with their defaults. */
export interface SyncProcessSettings extends Required<SyncProcessOptions> {
  /** The memory of a process that computes profiles, as `memoryMb`. */
  readonly profilesMb: number;
}

/** DuckDB does not count all of its memory. */
const UNCOUNTED = 1.25;

/** The memory of a process in addition to that of DuckDB: the runtime, and the rows that a connector holds. */
const PROCESS_MB = 768;

const GRACE_MS = 10_000;

/** Completes options of sync processes. @throws `invalid_input` */
export function syncProcessSettings(
  options: SyncProcessOptions,
  limits: WorkspaceConfig["limits"],
  entry: string,
): SyncProcessSettings {
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
  return {
    plugins: options.plugins ?? [],
    memoryMb: options.memoryMb ?? processMb(limits.memoryMb),
    profilesMb: options.memoryMb ?? processMb(profileMemoryMb()),
    graceMs: options.graceMs ?? GRACE_MS,
    command: options.command ?? [process.execPath, fileURLToPath(entry)],
  };
}

function processMb(duckdbMb: number): number {
  return Math.ceil(duckdbMb * UNCOUNTED) + PROCESS_MB;
}

const OPTIONS = ["plugins", "memoryMb", "graceMs", "command"] satisfies readonly (keyof SyncProcessOptions)[];

function checkOption(name: string, value: unknown): void {
  const refuse = (reason: string) => {
    throw new AgnesError("invalid_input", { what: `the option syncProcesses.${name}`, reason });
  };
  if (!OPTIONS.includes(name as keyof SyncProcessOptions)) refuse(`it is none of ${OPTIONS.join(", ")}`);
  if (name === "command" || name === "plugins") {
    const isList = Array.isArray(value) && value.every((part) => typeof part === "string");
    if (!isList || (name === "command" && value.length === 0))
      refuse(
        name === "command" ? "it is not a list of a program and its arguments" : "it is not a list of paths",
      );
    return;
  }
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    refuse(`${formatValue(value)} is not a whole number of at least 0`);
}
