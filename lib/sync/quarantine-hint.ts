import { AgnesError } from "../base/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** The advice in the hints of errors about single rows. */
const ADVICE = /, or let (?:the table|it) quarantine (?:such )?rows/;

/**
 * Adds a command to the advice in an error's hint to quarantine rows: it updates a registered table, or registers
 * another one. The advice is removed if the table already quarantines rows.
 *
 * @param table its id, or the source and the source's own name of an unregistered table
 */
export function withQuarantineCommand(
  error: AgnesError,
  table: Pick<TableRecord, "id" | "quarantine"> | { readonly source: string; readonly table: string },
): AgnesError {
  if (!ADVICE.test(error.hint)) return error;
  const command =
    "id" in table
      ? `agnes table update ${quoted(table.id)} --quarantine true`
      : `agnes table register ${quoted(table.source)} ${quoted(table.table)} --quarantine true`;
  const isDone = "id" in table && table.quarantine;
  const advice = error.hint.replace(ADVICE, (text) => (isDone ? "" : `${text} with \`${command}\``));
  const { code, details, cause, retry } = error;
  const advised = { ...(details as object), advice } as unknown as typeof details;
  return new AgnesError(code, advised, { cause, retry });
}

/** Quotes an argument for a shell if necessary. */
const quoted = (text: string) => (/^[\w.,:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
