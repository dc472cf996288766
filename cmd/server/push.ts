import type { PushReport, PushRequest } from "../../lib/write-back/mod.ts";
import { camelCase } from "./camel-case.ts";
import type { ServerClient } from "./client.ts";

/** The import of the rows has no timeout, so this only ends a request whose response is lost. */
const TIMEOUT_MS = 24 * 60 * 60_000;

/** Writes the rows of a query to a table of a source, by a server. */
export async function pushByServer(
  server: ServerClient,
  { table, source, sql, params, mode, dryRun = false, timeoutMs }: PushRequest,
): Promise<PushReport> {
  const json = { table, source, sql, params, mode, dry_run: dryRun, timeout_ms: timeoutMs };
  return camelCase(await server.json("/api/admin/push", { json, timeoutMs: TIMEOUT_MS })) as PushReport;
}
