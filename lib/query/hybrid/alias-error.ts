import { formatValue, isAgnesError, redactThrown, type AgnesError } from "../../base/mod.ts";
import { isOwnError } from "../limited-failure.ts";
import type { Alias } from "./types.ts";

/** The name of an alias in messages. */
export function aliasText({ name, source }: Pick<Alias, "name" | "source">): string {
  return `alias ${formatValue(name)} of source ${source}`;
}

/** The errors that name their alias. A connector may also use a detail `alias`. */
const named = new WeakSet<AgnesError>();

/** Returns an error that names the alias, with the code of the original one and without secrets of its source. */
export function aliasError(thrown: unknown, alias: Alias, secrets: Iterable<string>): unknown {
  const clean = redactThrown(thrown, secrets);
  if (!isAgnesError(clean) || isNamed(clean)) return clean;
  const texts = { message: `${aliasText(alias)}: ${clean.message}`, hint: clean.hint };
  const details = { ...clean.details, alias: alias.name } as typeof clean.details;
  const error = clean.withDetails(details, { cause: clean, texts });
  named.add(error);
  return error;
}

/** Whether an error names the alias that caused it. */
export function isNamed(error: unknown): boolean {
  return isAgnesError(error) && (named.has(error) || (isOwnError(error) && "alias" in error.details));
}
