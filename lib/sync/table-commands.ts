import { AgnesError } from "../base/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** The advice in the hints of errors about single rows. */
const ADVICE = /, or let (?:the table|it) quarantine (?:such )?rows/;
/** How the hints of errors name a table that they do not know. */
const COMMAND = "agnes table update ID ";

/**
 * Completes the commands in an error's hint for a table: adds one that lets the table quarantine rows to that advice, and
 * fills in the table `ID`. A registered table is updated, another one registered. The advice is removed if the table
 * already quarantines rows, or sets their values to null.
 *
 * @param table its id, or the source and the source's own name of an unregistered table
 */
export function withTableCommands(
  error: AgnesError,
  table:
    | Pick<TableRecord, "id" | "quarantine" | "invalidValues">
    | { readonly source: string; readonly table: string },
): AgnesError {
  const command =
    "id" in table
      ? `agnes table update ${quoted(table.id)} `
      : `agnes table register ${quoted(table.source)} ${quoted(table.table)} `;
  const isDone = "id" in table && (table.quarantine || table.invalidValues === "null");
  const advice = error.hint
    .replace(ADVICE, (text) => (isDone ? "" : `${text} with \`${command}--quarantine true\``))
    .replaceAll(COMMAND, () => command);
  if (advice === error.hint) return error;
  const { code, details, cause, retry } = error;
  const advised = { ...(details as object), advice } as unknown as typeof details;
  return new AgnesError(code, advised, { cause, retry });
}

/** Quotes an argument for a shell if necessary. */
const quoted = (text: string) => (/^[\w.,:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
