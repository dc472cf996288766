import { formatValue, isAgnesError, redactThrown } from "../../base/mod.ts";
import type { Alias } from "./types.ts";

/** The name of an alias in messages. */
export function aliasText({ name, source }: Pick<Alias, "name" | "source">): string {
  return `alias ${formatValue(name)} of source ${source}`;
}

/** Returns an error that names the alias, with the code of the original one and without secrets of its source. */
export function aliasError(error: unknown, alias: Alias, secrets: Iterable<string>): unknown {
  const clean = redactThrown(error, secrets);
  if (!isAgnesError(clean) || isNamed(clean)) return clean;
  const texts = { message: `${aliasText(alias)}: ${clean.message}`, hint: clean.hint };
  return clean.withDetails({ ...clean.details, alias: alias.name } as typeof clean.details, {
    cause: clean,
    texts,
  });
}

/** Whether an error names the alias that caused it. */
export function isNamed(error: unknown): boolean {
  return isAgnesError(error) && "alias" in error.details;
}
