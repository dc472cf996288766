import { isAgnesError, messageOf, redact, type Host } from "../../base/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  type Connection,
  type DuckDBLimits,
  type StatementOptions,
} from "../../duckdb/mod.ts";
import { databaseNames, withoutDatabases } from "../model.ts";
import { ATTACH_TIMEOUT_MS, attachWithTimeout } from "./attach-with-timeout.ts";
import { attachSettings, variablesOf, type NamedExtension, type PlannedValue } from "./plan.ts";
import type { RemoteRequest } from "./refusal.ts";

/**
 * Attaches a database under its internal name, according to its plan.
 *
 * @param options.install whether the extension may be downloaded; never during a query
 * @throws `duckdb_failed`
 */
export async function attachRemote(
  connection: Pick<Connection, "run">,
  env: Host["env"],
  source: string,
  remote: RemoteRequest,
  { install, signal }: { readonly install: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const waiting = { signal, mayWait: true };
  const { extension, plan, url } = remote;
  const name = quoteIdentifier(databaseNames.remote(source, remote.alias));
  if (extension !== "duckdb") await loadExtension(connection, remote, { install, waiting });
  const settings = [`TYPE ${quoteIdentifier(plan.type)}`];
  if (plan.readOnly) settings.push("READ_ONLY");
  settings.push(...valuesSql(env, plan.options));
  if (plan.secret !== null) {
    const { type, option, parameters } = plan.secret;
    const parts = [`TYPE ${quoteIdentifier(type)}`, ...valuesSql(env, parameters)];
    // Named after the database, so that two sources do not share a secret; in memory, never on disk.
    await connection.run(`CREATE OR REPLACE TEMPORARY SECRET ${name} (${parts.join(", ")})`);
    if (option !== null) settings.push(`${option} ${name}`);
  }
  await connection.run(`ATTACH ${quoteLiteral(url)} AS ${name} (${settings.join(", ")})`, waiting);
}

function valuesSql(env: Host["env"], values: Readonly<Record<string, PlannedValue>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `${name} ${valueSql(env, value)}`);
}

function valueSql(env: Host["env"], value: PlannedValue): string {
  if (typeof value === "object") return quoteLiteral(env[value.env] ?? "");
  return typeof value === "string" ? quoteLiteral(value) : String(value).toUpperCase();
}

async function loadExtension(
  connection: Pick<Connection, "run">,
  { extension, plan }: RemoteRequest,
  { install, waiting }: { readonly install: boolean; readonly waiting: StatementOptions },
): Promise<void> {
  const name = quoteIdentifier(extension);
  try {
    await connection.run(`LOAD ${name}`);
  } catch (error) {
    if (!install) throw error;
    // An extension that is installed but cannot be loaded is damaged or for another version of DuckDB.
    const force = isExtensionMissing(error) ? "" : "FORCE ";
    await connection.run(`${force}INSTALL ${name} FROM ${plan.repository}`, waiting);
    await connection.run(`LOAD ${name}`);
  }
}

/**
 * Attaches a database in a separate DuckDB instance, inspects it and closes both, with a timeout.
 *
 * @throws `timed_out`, `aborted`, `duckdb_failed`
 */
export async function tryRemote<T>(
  services: { readonly host: Pick<Host, "env" | "files">; readonly limits: DuckDBLimits },
  { source, remote, extensions, install, timeoutMs, signal }: RemoteTrial,
  look: (connection: Connection, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // A download is slower than a connection.
  const bounds = {
    timeoutMs: timeoutMs ?? (install ? INSTALL_TIMEOUT_MS : ATTACH_TIMEOUT_MS),
    signal,
  };
  return attachWithTimeout(`attaching the database of source ${source}`, bounds, async (stop) => {
    await using database = await openDatabase({
      files: services.host.files,
      limits: services.limits,
      settings: attachSettings(extensions),
    });
    await using connection = await database.connect();
    await attachRemote(connection, services.host.env, source, remote, { install, signal: stop });
    return await look(connection, stop);
  });
}

const INSTALL_TIMEOUT_MS = 300_000;

/** A database to attach as a check. */
interface RemoteTrial {
  readonly source: string;
  readonly remote: RemoteRequest;
  readonly extensions: readonly NamedExtension[];
  readonly install: boolean;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Returns the reason why attaching failed, in one line and without secrets. */
export function attachFailure(env: Host["env"], remote: RemoteRequest, error: unknown): string {
  const { extension, plan } = remote;
  if (isExtensionMissing(error)) {
    return `the DuckDB extension ${extension} is not installed; \`agnes doctor --install-extensions\` installs it from ${plan.repository}`;
  }
  const reason = isAgnesError(error, "duckdb_failed")
    ? (error.details as { readonly reason: string }).reason
    : messageOf(error);
  const lines = withoutDatabases(reason)
    .split("\n")
    .map((line) => line.trim());
  return redact(
    lines
      .slice(0, 2)
      .filter((line) => line !== "")
      .join(" "),
    secretValues(env, remote),
  );
}

/** Returns the secret values of an attached database, to remove from messages. */
export function secretValues(env: Host["env"], { plan, tokenEnv }: RemoteRequest): readonly string[] {
  return [...new Set([...variablesOf(plan), tokenEnv])].flatMap((name) => spellings(env[name] ?? ""));
}

/** Returns a value as quoted in connection strings, with backslashes, and in SQL, with doubled quotes. */
function spellings(value: string): readonly string[] {
  if (value === "") return [];
  return [...new Set([value, value.replace(/[\\']/g, "\\$&"), value.replaceAll("'", "''")])];
}

/** Whether attaching failed because the extension is not installed. */
export function isExtensionMissing(error: unknown): boolean {
  return /^DuckDB could not run LOAD [\s\S]*not found/.test(messageOf(error));
}
