import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createLog } from "../../lib/base/mod.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import type { Agnes } from "../../lib/mod.ts";
import program from "../../plugins/program/plugin.ts";

/** A workspace with the source `p`, which runs the program of the tests. */
export interface Programs extends AsyncDisposable {
  readonly agnes: Agnes;
  readonly directory: string;
  /** The messages of the log. */
  readonly messages: readonly string[];
}

export async function programs(
  settings: Readonly<Record<string, unknown>>,
  {
    options = {},
    secrets = {},
    env = {},
  }: {
    readonly options?: Readonly<Record<string, unknown>>;
    readonly secrets?: Readonly<Record<string, string>>;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Programs> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-programs-"));
  const messages: string[] = [];
  const agnes = await createAgnes({
    plugins: [program],
    workspace: directory,
    host: { env },
    log: createLog(({ message }) => void messages.push(message)),
    config: {
      version: 1,
      sources: {
        p: {
          plugin: "program",
          secrets,
          options: { command: [process.execPath, join(import.meta.dir, "program.ts")], settings, ...options },
        },
      },
    },
  });
  return {
    agnes,
    directory,
    messages,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Syncs, and returns the only source of the report. */
export async function syncOf({ agnes }: Programs, options: Parameters<Agnes["sync"]>[0] = {}) {
  const { sources } = await agnes.sync(options);
  return sources[0]!;
}

/** Whether a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
}
