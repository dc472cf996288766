/** The commands with `--server`, but `doctor` and `profile`, which advice means for the machine of the server. */
const serverCommands: readonly string[] = [
  "query",
  "catalog",
  "schema",
  "sample",
  "push",
  "runs",
  "timeline",
  "table list",
  "table show",
  "table register",
  "table update",
  "table unregister",
  "table discover",
  "table history",
  "table folder",
  "subscription show",
  "subscription add",
  "subscription remove",
  "subscription reset",
  "subscription mode",
  "subscription export",
];

/**
 * Returns a text whose commands, in backticks, work with a server: a command that takes `--server` gets it, and another one
 * is marked as one to run on the server.
 *
 * @param server its address; undefined: AGNES_SERVER names it, so that commands use it without the option
 */
export function serverAdvice(text: string, server: string | undefined): string {
  return text.replace(/`(agnes [a-z][^`]*)`/g, (span, line: string) => {
    const { command, rest } = /^agnes (?<command>(?:(?:table|subscription) )?[a-z-]+)(?<rest>.*)$/s.exec(
      line,
    )!.groups!;
    // `agnes pull` names the server itself, and runs where the copy is.
    if (/(?:^| )--help\b/.test(rest!) || command === "pull") return span;
    if (!serverCommands.includes(command!)) return `${span} on the server`;
    return server === undefined ? span : `\`${line} --server ${server}\``;
  });
}
