import { counted } from "../counted.ts";
import { nearest } from "../nearest.ts";
import { someNames } from "../some-names.ts";
import { errorSpec, shown } from "./spec.ts";

/** Errors of the built-in sources. */
export const sourcesErrors = {
  source_path_empty: errorSpec<{ path: string }>({
    status: 404,
    message: (d) => `there is no file to read at ${d.path}`,
    hint: () => "Check the path in agnes.yaml; relative paths are resolved against the folder of agnes.yaml.",
  }),
  source_files_empty: errorSpec<{ path: string; files: number }>({
    status: 404,
    message: (d) => {
      const [all, none] =
        d.files === 1
          ? [`${shown(d.path, 400)} is empty`, "it contains no rows and no column names"]
          : [`all ${d.files} files of ${shown(d.path, 400)} are empty`, "none contains rows or column names"];
      return `${all}: ${none}, so no table was created from it`;
    },
    hint: () => "Add rows, or at least column names, and run `agnes sync` again; the published data stays.",
  }),
  source_table_gone: errorSpec<{ table: string }>({
    status: 404,
    message: (d) => `table ${shown(d.table)} no longer exists in its source`,
    hint: () => "Restore it, or unregister the table; the published data stays until then.",
  }),
  source_table_missing: errorSpec<{ table: string; option: string; known: readonly string[] }>({
    status: 404,
    message: (d) => `the source has no table ${shown(d.table)}, which the option \`${d.option}\` refers to`,
    hint: (d) => {
      const near = nearest(d.table, d.known);
      if (near !== undefined) return `Did you mean ${shown(near)}?`;
      return `Correct \`${d.option}\` in agnes.yaml${d.known.length === 0 ? "" : `; the source has ${someNames(d.known)}`}.`;
    },
  }),
  source_schema_missing: errorSpec<{ schema: string; option: string; known: readonly string[] }>({
    status: 404,
    message: (d) => `the source has no schema ${shown(d.schema)}, which the option \`${d.option}\` refers to`,
    hint: (d) => {
      const near = nearest(d.schema, d.known);
      const advice =
        near === undefined ? `Correct \`${d.option}\` in agnes.yaml.` : `Did you mean ${shown(near)}?`;
      return `${advice} The source has ${someNames(d.known)}.`;
    },
  }),
  source_format_unknown: errorSpec<{ path: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the format of ${d.path} cannot be determined from its name`,
    hint: () => "Set `format:` to csv, tsv, ndjson, json or parquet in the options of the source.",
  }),
  source_files_mixed: errorSpec<{ path: string; first: string; second: string }>({
    message: (d) => `${d.path} contains files of different formats: ${d.first} and ${d.second}`,
    hint: () => "Keep one format per folder, or list the files of each table under `tables:` in the options.",
  }),
  source_name_taken: errorSpec<{ name: string; first: string; second: string }>({
    status: 409,
    message: (d) => `both ${d.first} and ${d.second} map to the table ${shown(d.name)}`,
    hint: () => "Rename one of them, or set a name for each under `tables:` in the options of the source.",
  }),
  source_entry_unusable: errorSpec<{ path: string; reason: string }>({
    message: (d) => `${shown(d.path, 400)} cannot be read: ${d.reason}`,
    hint: () => "Repair or remove it, or narrow the path in the options of the source to exclude it.",
  }),
  source_link_outside: errorSpec<{ path: string; target: string }>({
    status: 400,
    message: (d) =>
      `${shown(d.path, 400)} is skipped: it is a link to ${shown(d.target, 400)}, outside the source`,
    hint: () => "Set `followLinks: true` in the options of the source to follow its links.",
  }),
  source_partitions_differ: errorSpec<{
    table: string;
    first: string;
    /** Omitted if the first path alone is invalid. */
    second?: string;
    reason: string;
  }>({
    status: 400,
    message: (d) =>
      `table ${shown(d.table)} has inconsistent partition columns: ${d.reason}: ${d.first}${d.second === undefined ? "" : ` and ${d.second}`}`,
    hint: (d) =>
      d.second === undefined
        ? "Move the file so that each `name=` occurs once in its path, ignoring case, or remove `hivePartitions`."
        : "Move the files so that all are below the same `name=` folders, or remove `hivePartitions`.",
  }),
  source_decompression_limit: errorSpec<{
    path: string;
    limit: "maxDecompressedBytes" | "maxCompressionRatio";
    allowed: number;
    compressedBytes: number;
    decompressedBytes: number;
  }>({
    status: 413,
    message: (d) =>
      `${shown(d.path, 400)} has ${counted(d.compressedBytes, "byte")} and decompresses to more than ${d.limit === "maxDecompressedBytes" ? counted(d.allowed, "byte") : `${counted(d.allowed, "time")} that`}`,
    hint: (d) => `Raise \`${d.limit}\` in the options of the source if the file is correct.`,
  }),
  source_column_unknown: errorSpec<{ table: string; column: string; known: readonly string[] }>({
    status: 400,
    exit: 2,
    message: (d) => `table ${shown(d.table)} has no column ${shown(d.column)}; it has ${d.known.join(", ")}`,
    hint: () => "Correct the name in the options of the source; names are case-sensitive.",
  }),
} as const;
