import { AgnesError, nearest } from "../../base/mod.ts";

/** Common names of fields in other systems. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  schema: "bucket",
  table: "source_table",
  cursor: "incremental_column",
  filter: "where_filters",
  connection_id: "source",
  source_type: "source",
};

/** `view_name` in camelCase: `viewName`. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/**
 * The error for a field that does not exist, with the nearest one.
 *
 * @param field its place, such as `documentation.grane`; `key` is its last part
 * @param known the fields there are, all stored names or all names of the library
 */
export function unknownField(
  what: string,
  field: string,
  { key, known }: { readonly key: string; readonly known: readonly string[] },
): AgnesError {
  const other = Object.hasOwn(OTHER_NAMES, key) ? OTHER_NAMES[key]! : key;
  const near =
    known.find((name) => name === other || name === camelCase(other)) ??
    known.find((name) => name.endsWith(`_${key}`) || name.endsWith(capitalized(camelCase(key)))) ??
    nearest(key.slice(0, 100), known);
  return new AgnesError("table_field_unknown", {
    what,
    field,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

function capitalized(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}
