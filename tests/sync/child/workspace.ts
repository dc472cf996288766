import { join } from "node:path";

import {
  createAgnes,
  createLog,
  type Agnes,
  type AgnesOptions,
  type LogEntry,
  type SyncProcessOptions,
} from "agnes";

import { temporaryFolder } from "../workspace.ts";
import unruly from "./unruly.ts";

export const TOKEN = "s3cret-unruly-token";

/** An open workspace whose sources are `unruly` and run in processes of their own. */
export interface Unruly extends AsyncDisposable {
  readonly agnes: Agnes;
  readonly directory: string;
  /** The log so far. */
  readonly log: readonly LogEntry[];
}

/** @param sources how each source behaves, by its name, with further settings of it */
export async function openUnruly(
  sources: Readonly<Record<string, { readonly manner: string; readonly [setting: string]: unknown }>>,
  processes: SyncProcessOptions | null = {},
  options: Partial<AgnesOptions> = {},
): Promise<Unruly> {
  const folder = temporaryFolder();
  const log: LogEntry[] = [];
  const agnes = await createAgnes({
    workspace: folder.path,
    plugins: [unruly],
    actor: "tester",
    host: { env: { ...process.env, UNRULY_TOKEN: TOKEN } },
    log: createLog((entry) => log.push(entry)),
    config: {
      version: 1,
      sources: Object.fromEntries(
        Object.entries(sources).map(([name, { manner, rows, health, ...settings }]) => [
          name,
          {
            plugin: "unruly",
            options: {
              manner,
              ...(rows !== undefined && { rows }),
              ...(health !== undefined && { health }),
            },
            ...settings,
          },
        ]),
      ),
    },
    ...(processes !== null && {
      syncProcesses: { plugins: [join(import.meta.dir, "unruly.ts")], graceMs: 500, ...processes },
    }),
    ...options,
  });
  return {
    agnes,
    directory: folder.path,
    log,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      folder[Symbol.dispose]();
    },
  };
}
