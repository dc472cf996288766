import type { FunctionUse } from "../sql/mod.ts";
import type { Placed } from "./parse-select.ts";
import { refuse } from "./refuse.ts";

/** Widths and precisions in a format that DuckDB fills in memory it does not count: five digits and more. */
const WIDE: Readonly<Record<string, (format: string) => boolean>> = {
  printf: (format) => /%[^a-zA-Z%]*(?:\*|\d{5})/.test(format.replaceAll("%%", "")),
  format: (format) => /\{[^{}]*(?:\{|\d{5})/.test(format.replaceAll("{{", "")),
};

const ADVICE =
  "Write the format as a text with widths up to 9999; lpad and rpad fill to a width that a value gives.";

/**
 * A call of `format` or `printf` makes gigabytes when its width is large, or comes from a value.
 * @throws `sql_not_allowed`
 */
export function checkFormat({ name, catalog, schema, arguments: given, place }: Placed<FunctionUse>): void {
  const folded = name.toLowerCase();
  if (!Object.hasOwn(WIDE, folded)) return;
  // In `column.format(…)` the column is the format.
  if (catalog !== "" || schema !== "") refuse(`it calls ${folded} of a schema or column`, ADVICE, place);
  const format = constantOf(given[0]);
  if (format === null) refuse(`the format of ${folded} is no plain text`, ADVICE, place);
  if (WIDE[folded]!(format))
    refuse(`${folded} has a width of five digits, or one that a value gives`, ADVICE, place);
}

/** The text that an argument is in DuckDB's tree; null for everything else. */
function constantOf(argument: unknown): string | null {
  const node = argument as
    { readonly class?: unknown; readonly value?: { readonly value?: unknown } } | null | undefined;
  return node?.class === "CONSTANT" && typeof node.value?.value === "string" ? node.value.value : null;
}
