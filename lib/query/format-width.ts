import type { FunctionUse } from "../sql/mod.ts";
import type { Placed } from "./parse-select.ts";
import { refuse } from "./refuse.ts";

/** Formats with a width or precision of five or more digits, which DuckDB pads in memory that it does not count. */
const WIDE: Readonly<Record<string, (format: string) => boolean>> = {
  printf: (format) => /%[^a-zA-Z%]*(?:\*|\d{5})/.test(format.replaceAll("%%", "")),
  format: (format) => /\{[^{}]*(?:\{|\d{5})/.test(format.replaceAll("{{", "")),
};

const ADVICE =
  "Write the format as a string constant with widths up to 9999; lpad and rpad pad to a computed width.";

/**
 * Rejects calls of `format` and `printf` with large or computed widths, which could produce gigabytes.
 * @throws `sql_not_allowed`
 */
export function checkFormat({ name, catalog, schema, arguments: args, place }: Placed<FunctionUse>): void {
  const folded = name.toLowerCase();
  if (!Object.hasOwn(WIDE, folded)) return;
  // In `column.format(…)` the column is the format.
  if (catalog !== "" || schema !== "")
    refuse(`it qualifies function ${folded} with a schema or column`, ADVICE, place);
  const format = constantOf(args[0]);
  if (format === null) refuse(`the format of ${folded} is not a string constant`, ADVICE, place);
  if (WIDE[folded]!(format))
    refuse(`${folded} has a width of five or more digits, or a width from an argument`, ADVICE, place);
}

/** Returns the value of a string constant in DuckDB's tree; null for other arguments. */
function constantOf(argument: unknown): string | null {
  const node = argument as
    { readonly class?: unknown; readonly value?: { readonly value?: unknown } } | null | undefined;
  return node?.class === "CONSTANT" && typeof node.value?.value === "string" ? node.value.value : null;
}
