import { isExposedName, formatValue } from "../base/mod.ts";
import type { ExtensionSpec } from "../kit/mod.ts";

const KEYS: readonly (keyof ExtensionSpec)[] = [
  "repository",
  "type",
  "readOnly",
  "tokenOption",
  "secret",
  "hosts",
  "isExact",
  "foreign",
  "functions",
];
const SECRET_KEYS = ["type", "tokenParameter", "option"];

/** Returns why the `extensions` of a plugin are invalid; `undefined` if they are valid. */
export function extensionsProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) return "extensions should be an object of DuckDB extensions by name";
  for (const [name, spec] of Object.entries(value)) {
    if (!isExposedName(name)) return `the extension ${formatValue(name)} is not a valid name`;
    if (name === "duckdb") return "a DuckDB file needs no extension: remove duckdb from extensions";
    const problem = isRecord(spec) ? specProblem(spec) : "should be an object; {} for an official extension";
    if (problem !== undefined) return `extensions.${name} ${problem}`;
  }
  return undefined;
}

function specProblem(spec: Readonly<Record<string, unknown>>): string | undefined {
  const unknown = Object.keys(spec).find((key) => !(KEYS as readonly string[]).includes(key));
  if (unknown !== undefined)
    return `has the unknown key ${formatValue(unknown)}; known keys: ${KEYS.join(", ")}`;
  const { repository, type, readOnly, tokenOption, secret, isExact, hosts, foreign, functions } = spec;
  if (repository !== undefined && repository !== "core" && repository !== "community") {
    return `has the repository ${formatValue(repository)}; it should be core or community`;
  }
  for (const [key, name] of Object.entries({ type, tokenOption })) {
    if (name !== undefined && !isName(name))
      return `has the ${key} ${formatValue(name)}, which is not a valid name`;
  }
  for (const [key, flag] of Object.entries({ readOnly, isExact, foreign })) {
    if (flag !== undefined && typeof flag !== "boolean") return `has ${key}, which should be true or false`;
  }
  if (hosts !== undefined && typeof hosts !== "function") return "has hosts, which should be a function";
  if (functions !== undefined && !(Array.isArray(functions) && functions.every(isName))) {
    return "has functions, which should be a list of names";
  }
  return secret === undefined ? undefined : secretProblem(secret);
}

function secretProblem(secret: unknown): string | undefined {
  if (!isRecord(secret) || !isName(secret["type"])) return "has a secret without a type";
  const unknown = Object.keys(secret).find((key) => !SECRET_KEYS.includes(key));
  if (unknown !== undefined) {
    return `has a secret with the unknown key ${formatValue(unknown)}; known keys: ${SECRET_KEYS.join(", ")}`;
  }
  const { tokenParameter, option } = secret;
  if (tokenParameter !== undefined && !isName(tokenParameter)) {
    return `has the tokenParameter ${formatValue(tokenParameter)}, which is not a valid name`;
  }
  return option === undefined || option === null || isName(option)
    ? undefined
    : `has the secret option ${formatValue(option)}, which is not a valid name`;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && isExposedName(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
