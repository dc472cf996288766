import { formatValue } from "../base/mod.ts";
import type { Capability } from "../kit/mod.ts";

const FIELD = /^[a-z][a-z0-9_]{0,63}$/;
/** The fields of a JSON query that are the same for all plugins. */
const COMMON: readonly string[] = ["where_filters", "columns", "limit"];

/** Returns why a value is not valid as `sourceQuery` of a plugin; undefined if it is. */
export function sourceQueryProblem(value: unknown, capabilities: readonly Capability[]): string | undefined {
  if (value === undefined) return undefined;
  const { kind, type, entries, async, ["~run"]: run } = Object(value) as Readonly<Record<string, unknown>>;
  // Not `instanceof`: a plugin from a package may use another copy of valibot.
  const isSchema = kind === "schema" && typeof run === "function";
  if (!isSchema || type !== "strict_object" || typeof entries !== "object" || entries === null) {
    return "sourceQuery should be a valibot strictObject, such as v.strictObject({})";
  }
  if (async === true) return "sourceQuery should be a synchronous schema";
  if (!capabilities.includes("read"))
    return "it declares sourceQuery, whose rows `read` returns, but not the capability read";
  if (capabilities.includes("query"))
    return "it declares sourceQuery and the capability query, but source_query is either JSON or SQL";
  for (const name of Object.keys(entries)) {
    if (COMMON.includes(name)) return `sourceQuery declares ${name}, which every JSON query has`;
    if (!FIELD.test(name)) {
      return `the field ${formatValue(name)} of sourceQuery should be named in lower-case letters, digits and underscores, a letter first`;
    }
  }
  return undefined;
}
