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

/** Derives the name of the table and the format from a file name; `null` if it is not a data file. */
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

/** Whether a file or folder is never data: it is hidden, temporary, incomplete or `node_modules`. */
export function isIgnored(path: string): boolean {
  return IGNORED.test(basename(path));
}

/** Whether an unreadable entry may contain data: it has the name of a data file, or it may be a folder. */
export function mayHoldData(
  { path, mayBeFolder }: { readonly path: string; readonly mayBeFolder: boolean },
  fallback?: SourceFormat,
): boolean {
  return readName(path, fallback) !== null || (mayBeFolder && !hasExtension(path));
}

/** Whether a name has an extension, which names of folders rarely have. */
export const hasExtension = (path: string): boolean => /.\.[^.]+$/.test(basename(path));
