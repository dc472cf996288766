import { defineErrors, errorSpec, formatValue } from "agnes/kit";

import { counted } from "./counted.ts";

/** The error codes of the plugin. */
export const errors = defineErrors("files", {
  table_gone: errorSpec<{ table: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `table ${formatValue(d.table)} no longer exists in its source`,
    hint: () => "Restore it, or unregister the table; the published data stays until then.",
  }),
  files_empty: errorSpec<{ path: string; files: number }>({
    isDataError: true,
    status: 404,
    message: (d) => {
      const [all, none] =
        d.files === 1
          ? [`${formatValue(d.path, 400)} is empty`, "it contains no rows and no column names"]
          : [
              `all ${d.files} files of ${formatValue(d.path, 400)} are empty`,
              "none contains rows or column names",
            ];
      return `${all}: ${none}, so no table was created from it`;
    },
    hint: () => "Add rows, or at least column names, and run `agnes sync` again; the published data stays.",
  }),
  format_unknown: errorSpec<{ path: string }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) => `the format of ${d.path} cannot be determined from its name`,
    hint: () => "Set `format:` to csv, tsv, ndjson, json or parquet in the options of the source.",
  }),
  files_mixed: errorSpec<{ path: string; first: string; second: string }>({
    isDataError: true,
    message: (d) => `${d.path} contains files of different formats: ${d.first} and ${d.second}`,
    hint: () => "Keep one format per folder, or list the files of each table under `tables:` in the options.",
  }),
  name_taken: errorSpec<{ name: string; first: string; second: string }>({
    isDataError: true,
    status: 409,
    message: (d) => `both ${d.first} and ${d.second} map to the table ${formatValue(d.name)}`,
    hint: () => "Rename one of them, or set a name for each under `tables:` in the options of the source.",
  }),
  entry_unusable: errorSpec<{ path: string; reason: string }>({
    isDataError: true,
    message: (d) => `${formatValue(d.path, 400)} cannot be read: ${d.reason}`,
    hint: () => "Repair or remove it, or narrow the path in the options of the source to exclude it.",
  }),
  link_outside: errorSpec<{ path: string; target: string }>({
    isDataError: true,
    status: 400,
    message: (d) =>
      `${formatValue(d.path, 400)} is skipped: it is a link to ${formatValue(d.target, 400)}, outside the source`,
    hint: () => "Set `followLinks: true` in the options of the source to follow its links.",
  }),
  partitions_differ: errorSpec<{
    table: string;
    first: string;
    /** Omitted if the first path alone is invalid. */
    second?: string;
    reason: string;
  }>({
    isDataError: true,
    status: 400,
    message: (d) =>
      `table ${formatValue(d.table)} has inconsistent partition columns: ${d.reason}: ${d.first}${d.second === undefined ? "" : ` and ${d.second}`}`,
    hint: (d) =>
      d.second === undefined
        ? "Move the file so that each `name=` occurs once in its path, ignoring case, or remove `hivePartitions`."
        : "Move the files so that all are below the same `name=` folders, or remove `hivePartitions`.",
  }),
  decompression_limit: errorSpec<{
    path: string;
    limit: "maxDecompressedBytes" | "maxCompressionRatio";
    allowed: number;
    compressedBytes: number;
    decompressedBytes: number;
  }>({
    isDataError: true,
    status: 413,
    message: (d) =>
      `${formatValue(d.path, 400)} has ${counted(d.compressedBytes, "byte")} and decompresses to more than ${d.limit === "maxDecompressedBytes" ? counted(d.allowed, "byte") : `${counted(d.allowed, "time")} that`}`,
    hint: (d) => `Raise \`${d.limit}\` in the options of the source if the file is correct.`,
  }),
  column_unknown: errorSpec<{ table: string; column: string; known: readonly string[] }>({
    isDataError: true,
    status: 400,
    exit: 2,
    message: (d) =>
      `table ${formatValue(d.table)} has no column ${formatValue(d.column)}; it has ${d.known.join(", ")}`,
    hint: () => "Correct the name in the options of the source; names are case-sensitive.",
  }),
});
