import { errorSpec, formatValue } from "./spec.ts";

/** Errors of the command line. */
export const cliErrors = {
  command_unknown: errorSpec<{ command: string; parent: string; nearest?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${formatValue(d.command)} is not a command of \`${d.parent}\``,
    hint: (d) =>
      d.nearest === undefined
        ? `Run \`${d.parent} --help\` to see the commands.`
        : `Did you mean \`${d.parent} ${d.nearest}\`?`,
  }),
  flag_unknown: errorSpec<{ flag: string; command: string; nearest?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${formatValue(d.flag)} is not an option of \`${d.command}\``,
    hint: (d) =>
      d.nearest === undefined
        ? `Run \`${d.command} --help\` to see the options.`
        : `Did you mean ${d.nearest}?`,
  }),
  usage_wrong: errorSpec<{ command: string; reason: string; next?: string }>({
    status: 400,
    exit: 2,
    message: (d) => d.reason,
    hint: (d) => d.next ?? `Run \`${d.command} --help\` for usage.`,
  }),
  env_file_malformed: errorSpec<{ path: string; line: number; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.path}:${d.line} sets no variable: ${d.reason}`,
    hint: () => "Write lines `NAME=value`, with quotes around a value that has `#`, quotes or several lines.",
  }),
} as const;
