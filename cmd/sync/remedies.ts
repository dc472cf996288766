import type { NameConflict } from "../../lib/analytics/mod.ts";

/** Describes the conflict of a table that did not get its view name. */
export function conflictText({ viewName, owner, reason }: NameConflict): string {
  return `does not have the view name ${viewName}, because ${owner} has it (${reason})`;
}

/** The remedy, with a command. */
export function conflictRemedy({ loser, isLoserRegistered }: NameConflict): string {
  return isLoserRegistered
    ? `set another name with \`agnes table update ${loser} --as ${loser.replace(".", "_").slice(0, 64)}\``
    : `query it by its full name, \`agnes query "SELECT * FROM ${loser}"\``;
}

/** The command that publishes the extract of a source again. */
export function publishRemedy(source: string, sources: ReadonlySet<string>): string {
  return sources.has(source)
    ? `Run \`agnes sync ${source}\`.`
    : `Correct the program that writes the extract of ${source}, then run \`agnes sync\`.`;
}
