import { AgnesError, checkExposedName, formatValue, isAgnesError } from "../../base/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";
import { aliasError } from "./alias-error.ts";
import { accessDenied } from "./check-access.ts";
import type { Alias, HybridSources, RegisteredQuery, RegisterLimits } from "./types.ts";

/** All of them run at once. */
const ALIASES_MAX = 20;
const ROWS_MAX = 500_000;
const BYTES_MAX = 1024 ** 3;
const LIMITS = ["maxRows", "maxBytes", "maxScannedBytes", "timeoutMs"] as const;
/** A parameter named `keys` in the dialects of SQL. */
const KEYS_PARAMETER = /[@$:]keys\b/i;

/** The names with a meaning in the SQL, in lower case. */
export interface TakenNames {
  /** The names of tables: view names. */
  readonly tables: ReadonlySet<string>;
  /** The names of its common table expressions. */
  readonly expressions: ReadonlySet<string>;
  /** The names of tables that the SQL reads, unqualified. */
  readonly used: ReadonlySet<string>;
}

/**
 * Checks the aliases of `register`: each name is an identifier, is used by the SQL and hides nothing.
 * @param place.accessible the registered tables that the caller may access; null: all tables of the sources
 * @throws `alias_refused`, `alias_access_denied`, `invalid_identifier`, `invalid_input`, `source_unknown`,
 *   `capability_missing`
 */
export function checkAliases(
  register: Readonly<Record<string, RegisteredQuery>>,
  taken: TakenNames,
  {
    sources,
    accessible,
  }: { readonly sources: HybridSources; readonly accessible: readonly TableRecord[] | null },
): readonly Alias[] {
  checkCount(register);
  const entries = Object.entries(register);
  const before = new Map<string, string>();
  return entries.map(([name, query]) => {
    checkExposedName("the alias", name);
    const folded = name.toLowerCase();
    const other = before.get(folded);
    before.set(folded, name);
    const alias = aliasOf(name, query);
    const refuse = (reason: string, advice: string) =>
      new AgnesError("alias_refused", { alias: name, reason, advice });
    if (other !== undefined)
      throw refuse(`it differs from the alias ${formatValue(other)} only in case`, "Choose another alias.");
    if (taken.tables.has(folded)) throw refuse("it is the name of a table", "Choose another alias.");
    if (taken.expressions.has(folded))
      throw refuse("it is the name of a common table expression of the SQL", "Choose another alias.");
    if (!taken.used.has(folded))
      throw refuse("the SQL does not read it", `Add \`FROM ${name}\` to the SQL, or do not register it.`);
    if (alias.keys !== null && !KEYS_PARAMETER.test(alias.sql))
      throw refuse(
        "it has keys, but its SQL has no parameter `keys`",
        "Add a condition in the dialect of the source, such as `WHERE id IN UNNEST(@keys)` or `WHERE id IN (SELECT unnest($keys))`.",
      );
    // A source without an accessible table is as unknown as one that does not exist.
    if (accessible?.some(({ source }) => source === alias.source) === false) throw accessDenied(alias);
    checkSource(alias, sources, accessible !== null);
    return alias;
  });
}

/** @throws `invalid_input` for more aliases than a query can have */
export function checkCount(register: Readonly<Record<string, RegisteredQuery>>): void {
  const count = Object.keys(register).length;
  if (count <= ALIASES_MAX) return;
  const reason = `it has ${count} aliases, more than ${ALIASES_MAX}`;
  throw new AgnesError("invalid_input", { what: "register", reason });
}

/**
 * @param isLimited whether the caller may access some tables only: an error may name all plugins and their files
 * @throws `source_unknown`, `plugin_unknown`, `capability_missing`, `alias_access_denied`
 */
function checkSource(alias: Alias, sources: HybridSources, isLimited: boolean): void {
  const { source } = alias;
  try {
    const { name, capabilities } = sources.pluginOf(source);
    if (capabilities.includes("query")) return;
    throw new AgnesError("capability_missing", { plugin: name, source, capability: "query" });
  } catch (error) {
    if (isLimited && !isAgnesError(error, "capability_missing")) throw accessDenied(alias);
    throw aliasError(error, alias, []);
  }
}

/** @throws `invalid_input` */
function aliasOf(name: string, query: RegisteredQuery): Alias {
  const invalid = (field: string, reason: string) =>
    new AgnesError("invalid_input", { what: `${field} of the alias ${name}`, reason });
  const { source, sql, keys = null, limits = {} } = query;
  for (const [field, value] of Object.entries({ source, sql, ...(keys === null ? {} : { keys }) }))
    if (typeof value !== "string" || value.trim() === "") throw invalid(field, "it is not a text");
  for (const limit of LIMITS) {
    const value = limits[limit];
    if (value !== undefined && !(typeof value === "number" && value >= 0))
      throw invalid(limit, `${formatValue(value)} is not a number from 0 on`);
  }
  return { name, source, sql, keys, limits: withDefaults(limits) };
}

function withDefaults(limits: RegisterLimits): Alias["limits"] {
  const { maxRows = ROWS_MAX, maxBytes = BYTES_MAX } = limits;
  return { ...limits, maxRows, maxBytes };
}
