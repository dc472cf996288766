import { isAgnesError } from "../../lib/base/mod.ts";
import { plural } from "../terminal/figures.ts";
import type { ServerClient } from "../server/client.ts";
import { attempt, failed, ok, unknown, warning, type Check } from "./check.ts";

/** The statuses of `token_missing`, `token_invalid` and `sign_in_limited`. */
const SIGN_IN_STATUSES: readonly number[] = [401, 429];

interface Health {
  readonly status: string;
  readonly db_schema?: string;
  readonly outdated?: { readonly sources: readonly string[]; readonly hint: string } | null;
  readonly failed?: readonly string[];
  readonly sources?: readonly {
    readonly name: string;
    readonly health: { readonly state: string; readonly reason: string | null } | null;
  }[];
}

/** Checks a server after a deployment: its health, catalog, registry, one query and metrics. */
export async function serverChecks(server: ServerClient): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const [name, look] of Object.entries({ health: healthChecks, catalog: catalogChecks })) {
    try {
      checks.push(...(await look(server)));
    } catch (error) {
      checks.push(failed(name, error));
      // The other checks would be rejected too, and the server limits failed sign-ins.
      if (isAgnesError(error) && SIGN_IN_STATUSES.includes(error.status)) return checks;
      if (isAgnesError(error, "server_unreachable")) return checks;
    }
  }
  const others = await Promise.all([
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
  return [...checks, ...others.flat()];
}

async function healthChecks(server: ServerClient): Promise<readonly Check[]> {
  const {
    status,
    db_schema: schema,
    outdated,
    failed: parts = [],
    sources = [],
  } = await server.json<Health>("/api/health");
  const ofSources = sources.flatMap(({ name, health }) =>
    health?.state === "failed" ? [sourceWarning(name, health.reason)] : [],
  );
  if (status === "ok") return [ok("health", `${server.address} responds`), ...ofSources];
  const found = [
    ...(schema === undefined || schema === "ok" ? [] : [`db_schema is ${schema}`]),
    ...(outdated == null ? [] : [`queries return earlier rows of ${outdated.sources.join(", ")}`]),
    ...parts,
  ];
  const message = `${status}: ${found.join(", ")}`;
  const hint = outdated == null ? "The log of the server has the cause." : server.advice(outdated.hint);
  return [{ name: "health", state: "error", message, hint }, ...ofSources];
}

function sourceWarning(name: string, reason: string | null): Check {
  const hint = "The server checks it every five minutes, and syncs it by schedule when a check succeeds.";
  return warning(`health of ${name}`, reason ?? "it is not ready", hint);
}

async function catalogChecks(server: ServerClient): Promise<readonly Check[]> {
  const { tables } = await server.json<{ readonly tables: readonly unknown[] }>("/api/v2/catalog");
  return [ok("catalog", plural(tables.length, "table"))];
}

async function queryCheck(server: ServerClient): Promise<readonly Check[]> {
  const began = performance.now();
  const text = await server.text("/api/query?format=csv", { json: { sql: "SELECT 42 AS answer" } });
  const elapsedMs = Math.round(performance.now() - began);
  if (text.trim() === "answer\n42") return [ok("query", `SELECT 42 took ${elapsedMs} ms`)];
  const hint = "Check that the address is that of Agnes.";
  return [{ name: "query", state: "error", message: "SELECT 42 returned something else", hint }];
}

function metricsCheck(text: string): Check {
  const count = text.split("\n").filter((line) => line.startsWith("# TYPE agnes_")).length;
  if (count > 0) return ok("metrics", plural(count, "metric"));
  const hint = "Check that no proxy serves this path.";
  return { name: "metrics", state: "error", message: "the response has no metrics of Agnes", hint };
}

/** Runs a check that only administrators can make, and skips it for others. */
async function ofAdministrator(name: string, look: () => Promise<Check>): Promise<readonly Check[]> {
  return attempt(name, async () => {
    try {
      return [await look()];
    } catch (error) {
      if (!isAgnesError(error, "role_missing")) throw error;
      return [
        unknown(
          name,
          "skipped: the token is not that of an administrator",
          "Use the token of an administrator.",
        ),
      ];
    }
  });
}
