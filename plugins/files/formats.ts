import { basename } from "node:path";

import type { SourceFormat } from "./options.ts";

const FORMATS: Readonly<Record<string, SourceFormat>> = {
  csv: "csv",
  tsv: "tsv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "json",
  parquet: "parquet",
};

const COMPRESSED = /\.(gz|zst)$/i;
const IGNORED = /^[._~#]|^node_modules$|[~#]$|\.(tmp|temp|part|partial|crdownload|download|swp|lock|bak)$/i;

/** What the name of a file tells: the table it belongs to and how to read it; `null` when it is not a table file. */
export function readName(
  path: string,
  fallback?: SourceFormat,
): { readonly stem: string; readonly format: SourceFormat } | null {
  const name = basename(path).replace(COMPRESSED, "");
  const dot = name.lastIndexOf(".");
  const format = FORMATS[name.slice(dot + 1).toLowerCase()];
  if (dot > 0 && format !== undefined) return { stem: name.slice(0, dot), format };
  return fallback === undefined ? null : { stem: dot > 0 ? name.slice(0, dot) : name, format: fallback };
}

/** Whether a file or folder is hidden, temporary, half written or installed: it never is data. */
export function isIgnored(path: string): boolean {
  return IGNORED.test(basename(path));
}

/** Whether what cannot be looked into may be data: by its name, or as a folder, whose name tells nothing. */
export function mayHoldData(
  { path, mayBeFolder }: { readonly path: string; readonly mayBeFolder: boolean },
  fallback?: SourceFormat,
): boolean {
  return readName(path, fallback) !== null || (mayBeFolder && !hasEnding(path));
}

/** Whether a name has an ending, as those of folders seldom do. */
export const hasEnding = (path: string): boolean => /.\.[^.]+$/.test(basename(path));
