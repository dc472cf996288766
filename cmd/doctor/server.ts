import { isAgnesError } from "../../lib/base/mod.ts";
import { plural } from "../terminal/figures.ts";
import type { ServerClient } from "../server/client.ts";
import { attempt, ok, warning, type Check } from "./check.ts";

interface Health {
  readonly status: string;
  readonly db_schema?: string;
  readonly failed?: readonly string[];
}

/** Checks a server after a deployment: its health, catalog, registry, one query and metrics. */
export async function serverChecks(server: ServerClient): Promise<readonly Check[]> {
  const checks = await Promise.all([
    attempt("health", () => healthChecks(server)),
    attempt("catalog", async () => {
      const { tables } = await server.json<{ readonly tables: readonly unknown[] }>("/api/v2/catalog");
      return [ok("catalog", plural(tables.length, "table"))];
    }),
    ofAdministrator("registry", async () => {
      const { version, tables } = await server.json<{
        readonly version: number;
        readonly tables: readonly unknown[];
      }>("/api/admin/registry");
      return ok("registry", `${plural(tables.length, "table")}, version ${version}`);
    }),
    attempt("query", () => queryCheck(server)),
    ofAdministrator("metrics", async () => metricsCheck(await server.text("/metrics"))),
  ]);
  return checks.flat();
}

async function healthChecks(server: ServerClient): Promise<readonly Check[]> {
  const { status, db_schema: schema, failed = [] } = await server.json<Health>("/api/health");
  if (status === "ok") return [ok("health", `${server.address} responds`)];
  const parts = [...(schema === undefined || schema === "ok" ? [] : [`db_schema is ${schema}`]), ...failed];
  const message = `${status}: ${parts.join(", ")}`;
  return [{ name: "health", state: "failed", message, hint: "The log of the server has the cause." }];
}

async function queryCheck(server: ServerClient): Promise<readonly Check[]> {
  const began = performance.now();
  const text = await server.text("/api/query?format=csv", { json: { sql: "SELECT 42 AS answer" } });
  const elapsedMs = Math.round(performance.now() - began);
  if (text.trim() === "answer\n42") return [ok("query", `SELECT 42 took ${elapsedMs} ms`)];
  const hint = "Check that the address is that of Agnes.";
  return [{ name: "query", state: "failed", message: "SELECT 42 returned something else", hint }];
}

function metricsCheck(text: string): Check {
  const count = text.split("\n").filter((line) => line.startsWith("# TYPE agnes_")).length;
  if (count > 0) return ok("metrics", plural(count, "metric"));
  const hint = "Check that no proxy serves this path.";
  return { name: "metrics", state: "failed", message: "the response has no metrics of Agnes", hint };
}

/** Runs a check that only administrators can make, and skips it for others. */
async function ofAdministrator(name: string, look: () => Promise<Check>): Promise<readonly Check[]> {
  return attempt(name, async () => {
    try {
      return [await look()];
    } catch (error) {
      if (!isAgnesError(error, "role_missing")) throw error;
      return [
        warning(
          name,
          "skipped: the token is not that of an administrator",
          "Use the token of an administrator.",
        ),
      ];
    }
  });
}
