import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** Errors of copies of a server's tables. */
export const pullErrors = {
  pull_server_missing: errorSpec<{ directory: string }>({
    status: 400,
    exit: 2,
    message: (d) => `it is not known which server ${d.directory} is a copy of`,
    hint: () => "Name the server: `agnes pull https://agnes.example.com`.",
  }),
  pull_server_differs: errorSpec<{ server: string; known: string; directory: string }>({
    status: 409,
    exit: 2,
    message: (d) => `${d.directory} is a copy of ${d.known}, not of ${d.server}`,
    hint: (d) =>
      `Pull into another folder with --workspace. If the server moved, set \`copy: { server: "${d.server}" }\` in agnes.yaml.`,
  }),
  pull_source_taken: errorSpec<{ source: string; directory: string; isConfigured: boolean }>({
    status: 409,
    exit: 2,
    message: (d) =>
      d.isConfigured
        ? `the server has tables of a source ${d.source}, but this workspace has its own source of that name`
        : `the server has tables of a source ${d.source}, but ${d.directory} has an extract that was not pulled`,
    hint: () => "Pull into another folder with --workspace; nothing was changed.",
  }),
  pull_sources_alike: errorSpec<{
    server: string;
    source: string;
    other: string;
    /** Whether this copy has the other source, not the server. */
    isCopied: boolean;
  }>({
    status: 409,
    exit: 2,
    message: (d) =>
      d.isCopied
        ? `${d.server} has a source ${d.source}, but this copy has it as ${d.other}, and some file systems ignore case`
        : `${d.server} has sources ${d.source} and ${d.other}, but some file systems ignore case`,
    hint: (d) =>
      d.isCopied
        ? "Pull into another folder with --workspace, and remove this one; nothing was changed."
        : `Nothing was changed. Choose the tables of one of them: \`agnes subscription show --server ${d.server}\`.`,
  }),
  manifest_invalid: errorSpec<{ server: string; what: string; reason: string }>({
    status: 502,
    message: (d) => `the list of tables of ${d.server} cannot be used: ${d.what} ${d.reason}`,
    hint: () => "Check that the address is that of Agnes, and that its version is not newer than this one.",
  }),
  manifest_too_large: errorSpec<{ server: string; maxBytes: number }>({
    status: 502,
    message: (d) => `the list of tables of ${d.server} has more than ${counted(d.maxBytes, "byte")}`,
    hint: (d) => `Subscribe to fewer tables: \`agnes subscription show --server ${d.server}\`.`,
  }),
  part_damaged: errorSpec<{ table: string; part: string; reason: string }>({
    status: 502,
    retry: "transient",
    message: (d) => `part ${formatValue(d.part)} of ${d.table} is not what the server listed: ${d.reason}`,
    hint: () =>
      "Run `agnes pull` again. If it repeats, the file is damaged on the server: sync its table there in full.",
  }),
  download_stalled: errorSpec<{ server: string; timeoutMs: number }>({
    status: 504,
    retry: "transient",
    message: (d) => `${d.server} sent nothing for ${counted(Math.round(d.timeoutMs / 1000), "second")}`,
    hint: () => "Run `agnes pull` again; it goes on where it stopped.",
  }),
  pull_layout_taken: errorSpec<{ path: string }>({
    status: 409,
    exit: 2,
    message: (d) => `a table needs the name of ${d.path}, which was not made by a pull`,
    hint: () => "Move or rename it, and run `agnes pull` again; nothing was changed.",
  }),
  pull_link_found: errorSpec<{ path: string; folder: string }>({
    status: 409,
    exit: 2,
    message: (d) => `${d.path} in ${d.folder} is a link, and a pull would change what it leads to`,
    hint: () =>
      "Remove it; nothing was changed. To keep the data on another disk, set AGNES_DATA_DIR to a folder there.",
  }),
  table_on_server: errorSpec<{ table: string; server: string; reason: string }>({
    status: 409,
    exit: 2,
    message: (d) => `table ${formatValue(d.table)} is not in this copy: ${d.reason}`,
    hint: (d) => `Query it on the server: \`agnes query --server ${d.server} "SELECT * FROM ${d.table}"\`.`,
  }),
  copy_unreadable: errorSpec<{ path: string }>({
    message: (d) => `${d.path} is damaged, so it is not known which tables were pulled`,
    hint: () => "Nothing was changed. Pull into another folder with --workspace, and remove this one.",
  }),
  copy_not_synced: errorSpec<{
    server: string;
    /** The requested source or table; undefined: the whole workspace. */
    what?: string;
  }>({
    status: 409,
    exit: 2,
    message: (d) =>
      d.what === undefined
        ? `this workspace is a copy of ${d.server} and has no sources to sync`
        : `${formatValue(d.what)} is a copy from ${d.server} and is not synced here`,
    hint: () => "Run `agnes pull` to update it.",
  }),
} as const;
