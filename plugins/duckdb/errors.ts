import { defineErrors, errorSpec, formatValue } from "agnes/kit";
import { closest, distance } from "fastest-levenshtein";

/** The error codes of the plugin. */
export const errors = defineErrors("duckdb", {
  table_missing: errorSpec<{ table: string; option: string; known: readonly string[] }>({
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
  schema_missing: errorSpec<{ schema: string; option: string; known: readonly string[] }>({
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
  query_invalid: errorSpec<{ source: string; reason: string }>({
    isDataError: true,
    status: 400,
    message: (d) => `DuckDB rejects the query: ${d.reason}`,
    hint: (d) => `Correct the SQL. Its tables are ${d.source}.SCHEMA.TABLE, such as ${d.source}.main.orders.`,
  }),
  file_locked: errorSpec<{ path: string; holder: string }>({
    isDataError: true,
    status: 409,
    retry: "transient",
    message: (d) => `${d.path} is in use by ${d.holder}`,
    hint: () => "Run it again when that process has closed the file.",
  }),
});

function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const found = closest(word, [...known]);
  return distance(word, found) <= Math.max(2, word.length / 3) ? found : undefined;
}

/** The maximum number of names in a hint. */
const NAMES_MAX = 8;

function someNames(names: readonly string[]): string {
  const left = names.length - NAMES_MAX;
  return `${names.slice(0, NAMES_MAX).toSorted().join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}
