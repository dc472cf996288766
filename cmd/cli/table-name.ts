import { AgnesError, formatValue } from "../../lib/base/mod.ts";
import type { Cli } from "./cli.ts";

/** Checks the name of a table, in a workspace as for a server: these are no part of a path. @throws `usage_wrong` */
export function checkTableName(cli: Cli, reference: string): void {
  if (!["", ".", ".."].includes(reference)) return;
  const reason = `${formatValue(reference)} is not the name of a table`;
  throw new AgnesError("usage_wrong", { command: cli.name, reason });
}
