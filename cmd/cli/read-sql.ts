import { AgnesError } from "../../lib/base/mod.ts";
import type { Cli } from "./cli.ts";

/** Returns SQL of the command line; `-`, or none, reads it from stdin. @throws `usage_wrong` if there is none */
export async function readSql(cli: Cli, sql: string | undefined): Promise<string> {
  const isArgument = sql !== undefined && sql !== "-";
  if (sql === undefined && process.stdin.isTTY) throw missing(cli.name, "the SQL is missing");
  const text = isArgument ? sql : await Bun.stdin.text();
  if (text.trim() === "") throw missing(cli.name, isArgument ? "the SQL is empty" : "stdin contains no SQL");
  return text;
}

function missing(command: string, reason: string): AgnesError {
  const next =
    command === "agnes query"
      ? 'Try `agnes query "SELECT 1"`, or `agnes query - < FILE`.'
      : "Write a SELECT after --sql, or into stdin with `--sql -`.";
  return new AgnesError("usage_wrong", { command, reason, next });
}
