import { join, resolve } from "node:path";

import * as v from "valibot";

import { AgnesError, isAgnesError, publishFile, type Host } from "../base/mod.ts";
import type { WorkspaceConfig } from "./config.ts";
import { dataPaths, type Workspace } from "./workspace.ts";

const missingTable = v.object({
  id: v.string(),
  viewName: v.string(),
  /** Why the table is not in the copy, as the end of a sentence. */
  reason: v.string(),
});

const lastPull = v.object({
  /** ISO 8601, UTC. */
  at: v.string(),
  /** Ids of the tables that it could not update. */
  failed: v.array(v.string()),
});

const copyState = v.object({
  version: v.literal(1),
  server: v.string(),
  sources: v.array(v.string()),
  missing: v.array(missingTable),
  lastPull: v.nullish(lastPull, null),
});

/** A table of the server that is not in the copy. */
export type MissingTable = Readonly<v.InferOutput<typeof missingTable>>;

/** What a workspace with pulled tables knows of them. */
export interface CopyState {
  /** The address of the server. */
  readonly server: string;
  /** The sources whose extracts were pulled. Other extracts are never changed by a pull. */
  readonly sources: readonly string[];
  readonly missing: readonly MissingTable[];
  /** The last pull that ended; null: none did, or an earlier version of Agnes made it. */
  readonly lastPull: Readonly<v.InferOutput<typeof lastPull>> | null;
}

const statePath = (data: string) => join(dataPaths.copy(data), "state.json");

/** Reads the state of a copy; null if nothing was pulled. @throws `copy_unreadable` */
export async function readCopyState(
  { files }: Pick<Host, "files">,
  dataDirectory: string,
): Promise<CopyState | null> {
  const path = statePath(dataDirectory);
  const bytes = await files.read(path);
  if (bytes === null) return null;
  try {
    return v.parse(copyState, JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    throw new AgnesError("copy_unreadable", { path }, { cause: error });
  }
}

/** Replaces the state of a copy. */
export async function writeCopyState(
  host: Pick<Host, "files" | "random">,
  dataDirectory: string,
  state: CopyState,
): Promise<void> {
  await publishFile(host, statePath(dataDirectory), JSON.stringify({ version: 1, ...state }));
}

/**
 * Returns the error of a query as it is in a copy: a table that only the server has is `table_on_server`, and hints name
 * `agnes pull` instead of `agnes sync`. Other errors are returned unchanged.
 */
export async function explainInCopy(
  error: unknown,
  { files }: Pick<Host, "files">,
  { config, dataDirectory }: Workspace,
): Promise<unknown> {
  if (!isAgnesError(error)) return error;
  const state = await readCopyState({ files }, dataDirectory);
  const server = state?.server ?? config.copy?.server;
  if (server === undefined) return error;
  const known: AgnesError = error;
  const hint = copyAdvice(known.hint, config, state?.sources ?? []);
  const texts = { message: known.message, hint };
  if (isAgnesError(error, "table_unknown")) {
    const { table, registered } = error.details;
    const named = table.toLowerCase();
    const found = state?.missing.find(({ id, viewName }) =>
      [id.toLowerCase(), viewName.toLowerCase()].includes(named),
    );
    if (found !== undefined)
      return new AgnesError("table_on_server", { table, server, reason: found.reason }, { cause: error });
    const moreHint = `A copy has only the tables that you subscribe to: \`agnes subscription show --server ${server}\`.`;
    const more = registered === undefined ? { moreHint } : {};
    return error.withDetails(error.details, { cause: error, texts, ...more });
  }
  if (isAgnesError(error, "file_unreadable") && isPulled(error.details.path, dataDirectory, state))
    return error.withDetails(error.details, {
      cause: error,
      texts: { ...texts, hint: "Run `agnes pull --verify`: it downloads damaged files again." },
    });
  return hint === known.hint ? error : known.withDetails(known.details, { cause: error, texts });
}

/** Whether a file, which errors name relative to the data folder, is of a pulled source. */
function isPulled(path: string, dataDirectory: string, state: CopyState | null): boolean {
  const absolute = resolve(dataDirectory, path);
  const directories = state?.sources.map((source) => dataPaths.extract(dataDirectory, source)) ?? [];
  return directories.some((directory) => absolute.startsWith(`${resolve(directory)}/`));
}

/**
 * Returns a text for a copy: commands in backticks that sync are `agnes pull`. In a workspace with sources of its own, only
 * those of pulled sources are.
 */
export function copyAdvice(
  text: string,
  { copy, sources }: WorkspaceConfig,
  pulled: readonly string[] = [],
): string {
  const isOnlyCopy = (copy !== undefined || pulled.length > 0) && Object.keys(sources).length === 0;
  return text.replace(/`agnes sync(?: (?<source>[\w-]+)[^`]*)?`/g, (span, source: string | undefined) =>
    isOnlyCopy || (source !== undefined && pulled.includes(source)) ? "`agnes pull`" : span,
  );
}
