import { AgnesError } from "../../lib/base/mod.ts";
import type { Cli } from "./cli.ts";

/** Returns SQL of the command line; `-`, or none, reads it from stdin. */
export async function readSql(cli: Cli, sql: string | undefined): Promise<string> {
  if (sql !== undefined && sql !== "-") return sql;
  if (sql === undefined && process.stdin.isTTY) {
    const reason = "the SQL is missing";
    throw new AgnesError("usage_wrong", { command: cli.name, reason, next: 'Try `agnes query "SELECT 1"`.' });
  }
  return Bun.stdin.text();
}
