import { nearest } from "../nearest.ts";
import { someNames } from "../some-names.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** Errors of sources that any connector may use. */
export const sourcesErrors = {
  source_path_empty: errorSpec<{ path: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `there is no file to read at ${d.path}`,
    hint: () => "Check the path in agnes.yaml; relative paths are resolved against the folder of agnes.yaml.",
  }),
  source_table_gone: errorSpec<{ table: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `table ${formatValue(d.table)} no longer exists in its source`,
    hint: () => "Restore it, or unregister the table; the published data stays until then.",
  }),
  source_table_missing: errorSpec<{ table: string; option: string; known: readonly string[] }>({
    isDataError: true,
    status: 404,
    message: (d) =>
      `the source has no table ${formatValue(d.table)}, which the option \`${d.option}\` refers to`,
    hint: (d) => {
      const near = nearest(d.table, d.known);
      if (near !== undefined) return `Did you mean ${formatValue(near)}?`;
      return `Correct \`${d.option}\` in agnes.yaml${d.known.length === 0 ? "" : `; the source has ${someNames(d.known)}`}.`;
    },
  }),
  source_schema_missing: errorSpec<{ schema: string; option: string; known: readonly string[] }>({
    isDataError: true,
    status: 404,
    message: (d) =>
      `the source has no schema ${formatValue(d.schema)}, which the option \`${d.option}\` refers to`,
    hint: (d) => {
      const near = nearest(d.schema, d.known);
      const advice =
        near === undefined ? `Correct \`${d.option}\` in agnes.yaml.` : `Did you mean ${formatValue(near)}?`;
      return `${advice} The source has ${someNames(d.known)}.`;
    },
  }),
} as const;
