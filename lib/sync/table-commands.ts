import { AgnesError } from "../base/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** What the hints of errors say that concern single rows. */
const ADVICE = /, or let (?:the table|it) quarantine (?:such )?rows/;
/** How the hints of errors name a table that they do not know. */
const COMMAND = "agnes table update ID ";

/**
 * The error of a table with the commands of its hint as they work: the one that lets it quarantine rows, where its hint
 * says to, and those for the table `ID`. One that is registered is updated, another registered. A table that quarantines
 * already is not told to.
 *
 * @param table its id, or the source and the source's own name for one that is not registered
 */
export function withTableCommands(
  error: AgnesError,
  table: Pick<TableRecord, "id" | "quarantine"> | { readonly source: string; readonly table: string },
): AgnesError {
  const command =
    "id" in table
      ? `agnes table update ${word(table.id)} `
      : `agnes table register ${word(table.source)} ${word(table.table)} `;
  const isDone = "id" in table && table.quarantine;
  const advice = error.hint
    .replace(ADVICE, (text) => (isDone ? "" : `${text} with \`${command}--quarantine true\``))
    .replaceAll(COMMAND, () => command);
  if (advice === error.hint) return error;
  const { code, details, cause, retry } = error;
  const advised = { ...(details as object), advice } as unknown as typeof details;
  return new AgnesError(code, advised, { cause, retry });
}

/** An argument as a shell takes it. */
const word = (text: string) => (/^[\w.,:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
