import type { NameConflict } from "../../lib/analytics/mod.ts";

/** What happened to a table that did not get its name. */
export function conflictText({ viewName, owner, reason }: NameConflict): string {
  return `is not called ${viewName}, because ${owner} is (${reason})`;
}

/** What to do about it, as it can be typed. */
export function conflictRemedy({ loser, isLoserRegistered }: NameConflict): string {
  return isLoserRegistered
    ? `give it another name with \`agnes table update ${loser} --as ${loser.replace(".", "_").slice(0, 64)}\``
    : `query it by its full name, \`agnes query "SELECT * FROM ${loser}"\``;
}

/** How the extract of a source is published again. */
export function publishRemedy(source: string, sources: ReadonlySet<string>): string {
  return sources.has(source)
    ? `Run \`agnes sync ${source}\`.`
    : `Correct the program that writes the extract of ${source}, then run \`agnes sync\`.`;
}
