import { errorSpec, formatValue } from "./spec.ts";

/** Errors of writing rows back to a source. */
export const writeBackErrors = {
  write_refused: errorSpec<{ source: string; table: string; reason: string; advice: string }>({
    status: 400,
    exit: 2,
    message: (d) => `nothing was written to table ${formatValue(d.table)} of source ${d.source}: ${d.reason}`,
    hint: (d) => d.advice,
  }),
} as const;
