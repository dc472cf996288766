import { AgnesError, formatValue } from "../../lib/base/mod.ts";
import type { RegisteredQuery, RegisterLimits } from "../../lib/query/mod.ts";

/** The plugin that `--register-bq` means. */
const PLUGIN = "bigquery";

/** The options of `agnes query` for queries in sources, as typed. */
export interface RegisterOptions {
  /** `ALIAS=SOURCE:SQL`. */
  readonly register: readonly string[];
  /** `ALIAS=SQL` for the only source of BigQuery. */
  readonly registerBq: readonly string[];
  /** `ALIAS=SQL`. */
  readonly keys: readonly string[];
  readonly limits: RegisterLimits;
}

/**
 * Returns the queries to register; undefined without any.
 *
 * @param sources the sources of the workspace
 * @throws `usage_wrong`
 */
export function registeredQueries(
  command: string,
  options: RegisterOptions,
  sources: Readonly<Record<string, { readonly plugin: string }>>,
): Readonly<Record<string, RegisteredQuery>> | undefined {
  const wrong = (reason: string, next: string) => new AgnesError("usage_wrong", { command, reason, next });
  const { limits } = options;
  const found = new Map<string, RegisteredQuery>();
  const add = (option: string, alias: string, query: RegisteredQuery) => {
    if (found.has(alias))
      throw wrong(`${option} repeats the alias ${formatValue(alias)}`, "Choose another alias.");
    found.set(alias, query);
  };
  for (const text of options.register) {
    const [alias, rest] = split(text, "=");
    const [source, sql] = split(rest, ":");
    if (alias === "" || source === "" || sql === "")
      throw wrong(`--register cannot be ${formatValue(text)}`, "Write --register ALIAS=SOURCE:SQL.");
    add("--register", alias, { source, sql, limits });
  }
  for (const text of options.registerBq) {
    const [alias, sql] = split(text, "=");
    if (alias === "" || sql === "")
      throw wrong(`--register-bq cannot be ${formatValue(text)}`, "Write --register-bq ALIAS=SQL.");
    add("--register-bq", alias, { source: onlySource(wrong, sources), sql, limits });
  }
  for (const text of options.keys) {
    const [alias, keys] = split(text, "=");
    const query = found.get(alias);
    if (query === undefined || keys === "")
      throw wrong(
        query === undefined
          ? `--keys names no registered alias: ${formatValue(text)}`
          : `--keys of ${alias} has no SQL`,
        "Write --keys ALIAS=SQL beside --register ALIAS=SOURCE:SQL.",
      );
    if (query.keys !== undefined)
      throw wrong(`--keys repeats the alias ${formatValue(alias)}`, "Write it once.");
    found.set(alias, { ...query, keys });
  }
  if (found.size > 0) return Object.fromEntries(found);
  if (Object.keys(limits).length === 0) return undefined;
  throw wrong("a limit of registered queries has no query", "Add --register ALIAS=SOURCE:SQL.");
}

function onlySource(
  wrong: (reason: string, next: string) => AgnesError,
  sources: Readonly<Record<string, { readonly plugin: string }>>,
): string {
  const names = Object.keys(sources).filter((name) => sources[name]!.plugin === PLUGIN);
  const [only] = names;
  if (only === undefined)
    throw wrong(
      `--register-bq needs a source with the plugin ${PLUGIN}, but there is none`,
      "Add it to agnes.yaml.",
    );
  if (names.length === 1) return only;
  throw wrong(
    `--register-bq is ambiguous: the sources ${names.join(", ")} have the plugin ${PLUGIN}`,
    "Write --register ALIAS=SOURCE:SQL.",
  );
}

/** Splits at the first separator. Without one, the second part is empty. */
function split(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
