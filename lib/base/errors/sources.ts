import { counted } from "../counted.ts";
import { nearest } from "../nearest.ts";
import { someNames } from "../some-names.ts";
import { errorSpec, shown } from "./spec.ts";

/** Codes of the sources that Agnes brings along and that read files. */
export const sourcesErrors = {
  source_path_empty: errorSpec<{ path: string }>({
    status: 404,
    message: (d) => `there is no file to read at ${d.path}`,
    hint: () => "Check the path in agnes.yaml; relative paths start at the folder of agnes.yaml.",
  }),
  source_files_empty: errorSpec<{ path: string; files: number }>({
    status: 404,
    message: (d) => {
      const [all, none] =
        d.files === 1
          ? [`${shown(d.path, 400)} is empty`, "it holds no row and names no column"]
          : [`all ${d.files} files of ${shown(d.path, 400)} are empty`, "none holds a row or names a column"];
      return `${all}: ${none}, so no table is made of it`;
    },
    hint: () =>
      "Write rows, or at least the names of the columns, and run `agnes sync` again; what was published of it before stays.",
  }),
  source_table_gone: errorSpec<{ table: string }>({
    status: 404,
    message: (d) => `there is nothing left of table ${shown(d.table)} in its source`,
    hint: () => "Bring it back, or unregister the table; what was published of it stays until then.",
  }),
  source_table_missing: errorSpec<{ table: string; option: string; known: readonly string[] }>({
    status: 404,
    message: (d) => `the source has no table ${shown(d.table)}, which its option \`${d.option}\` names`,
    hint: (d) => {
      const near = nearest(d.table, d.known);
      if (near !== undefined) return `Did you mean ${shown(near)}?`;
      return `Correct \`${d.option}\` in agnes.yaml${d.known.length === 0 ? "" : `; the source has ${someNames(d.known)}`}.`;
    },
  }),
  source_schema_missing: errorSpec<{ schema: string; option: string; known: readonly string[] }>({
    status: 404,
    message: (d) => `the source has no schema ${shown(d.schema)}, which its option \`${d.option}\` names`,
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
    message: (d) => `the format of ${d.path} is not clear from its name`,
    hint: () => "Set `format:` to csv, tsv, ndjson, json or parquet in the options of the source.",
  }),
  source_files_mixed: errorSpec<{ path: string; first: string; second: string }>({
    message: (d) => `${d.path} holds files of different formats: ${d.first} and ${d.second}`,
    hint: () => "Keep one format per folder, or name the files of each table under `tables:` in the options.",
  }),
  source_name_taken: errorSpec<{ name: string; first: string; second: string }>({
    status: 409,
    message: (d) => `both ${d.first} and ${d.second} would be the table ${shown(d.name)}`,
    hint: () => "Rename one of them, or give each a name under `tables:` in the options of the source.",
  }),
  source_entry_unusable: errorSpec<{ path: string; reason: string }>({
    message: (d) => `${shown(d.path, 400)} cannot be read: ${d.reason}`,
    hint: () => "Repair or remove it, or narrow the path in the options of the source to leave it out.",
  }),
  source_link_outside: errorSpec<{ path: string; target: string }>({
    status: 400,
    message: (d) =>
      `${shown(d.path, 400)} is left out: it is a link to ${shown(d.target, 400)}, outside the source`,
    hint: () => "Set `followLinks: true` in the options of the source to read what its links lead to.",
  }),
  source_partitions_differ: errorSpec<{
    table: string;
    first: string;
    /** Absent when the first is wrong by itself. */
    second?: string;
    reason: string;
  }>({
    status: 400,
    message: (d) =>
      `table ${shown(d.table)} has no one set of partition columns: ${d.reason}: ${d.first}${d.second === undefined ? "" : ` and ${d.second}`}`,
    hint: (d) =>
      d.second === undefined
        ? "Move the file so that each `name=` is there once among its folders, whatever its case, or leave out `hivePartitions`."
        : "Move the files so that each lies below the same `name=` folders, or leave out `hivePartitions`.",
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
    hint: (d) => `Raise \`${d.limit}\` in the options of the source if the file is what it should be.`,
  }),
  source_column_unknown: errorSpec<{ table: string; column: string; known: readonly string[] }>({
    status: 400,
    exit: 2,
    message: (d) => `table ${shown(d.table)} has no column ${shown(d.column)}; it has ${d.known.join(", ")}`,
    hint: () => "Correct the name in the options of the source; capitals count.",
  }),
} as const;
