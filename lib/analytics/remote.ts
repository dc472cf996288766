import { checkEnvironmentName, isExposedName, messageOf, redact, shown, type Host } from "../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";
import { databaseNames, type RemoteDatabase } from "./model.ts";

const EXTENSIONS = ["keboola", "bigquery", "uc_catalog", "delta", "snowflake"];
const TOKEN_VARIABLES = [
  "KBC_TOKEN",
  "KBC_STORAGE_TOKEN",
  "KEBOOLA_STORAGE_TOKEN",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "DATABRICKS_TOKEN",
  "SNOWFLAKE_PASSWORD",
  "SNOWFLAKE_PRIVATE_KEY",
];

/** What an extract asks to have attached; untrusted, unless the plugin of its source declared the same. */
export type RemoteRequest = Omit<RemoteDatabase, "refusal">;

/**
 * Why a database may not be attached, or null when it may.
 *
 * An extract is input: without these lists it could have any variable of the environment sent anywhere.
 * `AGNES_REMOTE_ATTACH_EXTENSIONS`, `…_TOKEN_ENVS` replace the lists, `…_HOST_ALLOWLIST` adds one of hosts; all are
 * separated by commas. A DuckDB file needs no extension and is attached only where the plugin declared it.
 */
export function refusalOf(env: Host["env"], remote: RemoteRequest): string | null {
  const { alias, extension, tokenEnv, declared } = remote;
  if (!isExposedName(alias)) return `the alias ${shown(alias)} is not a valid name`;
  if (!isExposedName(extension)) return `the extension ${shown(extension)} is not a valid name`;
  const extensions = listOf(env["AGNES_REMOTE_ATTACH_EXTENSIONS"]) ?? EXTENSIONS;
  if (!extensions.includes(extension.toLowerCase()) && !(extension === "duckdb" && declared)) {
    return extension === "duckdb"
      ? "a DuckDB file is attached only when the plugin of the source declares it"
      : `the extension ${extension} is not on the list (AGNES_REMOTE_ATTACH_EXTENSIONS)`;
  }
  return tokenRefusal(env, tokenEnv, declared) ?? hostRefusal(env, remote);
}

function tokenRefusal(env: Host["env"], name: string, declared: boolean): string | null {
  if (name === "") return null;
  try {
    checkEnvironmentName("the token variable", name);
  } catch {
    return `the token variable ${shown(name)} is not a valid name`;
  }
  const replaced = listOf(env["AGNES_REMOTE_ATTACH_TOKEN_ENVS"]);
  const allowed = (replaced ?? TOKEN_VARIABLES.map((known) => known.toLowerCase())).includes(
    name.toLowerCase(),
  );
  if (!allowed && !(declared && replaced === null)) {
    return `the token variable ${name} is not on the list (AGNES_REMOTE_ATTACH_TOKEN_ENVS)`;
  }
  return env[name] === undefined || env[name] === "" ? `the environment variable ${name} is not set` : null;
}

/** BigQuery goes to Google whatever the URL says, and a DuckDB file goes nowhere. */
const WITHOUT_HOST = new Set(["bigquery", "duckdb"]);

function hostRefusal(env: Host["env"], { extension, url }: RemoteRequest): string | null {
  const hosts = listOf(env["AGNES_REMOTE_ATTACH_HOST_ALLOWLIST"]);
  if (hosts === null || WITHOUT_HOST.has(extension)) return null;
  const host = URL.canParse(url) ? new URL(url).hostname.toLowerCase() : "";
  if (host === "") return `no host can be read from the address ${shown(url)}`;
  return hosts.includes(host)
    ? null
    : `the host ${host} is not on the list (AGNES_REMOTE_ATTACH_HOST_ALLOWLIST)`;
}

/** Whether the connection may go to any host: worth a warning. */
export function isAnyHost(env: Host["env"], { extension }: RemoteRequest): boolean {
  return !WITHOUT_HOST.has(extension) && listOf(env["AGNES_REMOTE_ATTACH_HOST_ALLOWLIST"]) === null;
}

/** Why attaching failed, without the token, whatever the extension says. */
export function attachFailure(env: Host["env"], { tokenEnv }: RemoteRequest, error: unknown): string {
  const token = env[tokenEnv] ?? "";
  return redact(messageOf(error), token === "" ? [] : [token]);
}

/**
 * Attaches a database under the session's own name for it.
 *
 * @param options.install whether the extension may be downloaded; never while a query waits
 * @throws `duckdb_failed`
 */
export async function attachRemote(
  connection: Connection,
  env: Host["env"],
  source: string,
  remote: RemoteRequest,
  options: { readonly install: boolean },
): Promise<void> {
  const { extension, url, tokenEnv } = remote;
  const name = databaseNames.remote(source, remote.alias);
  if (extension !== "duckdb") await loadExtension(connection, extension, options.install);
  const token = tokenEnv === "" ? null : quoteLiteral(env[tokenEnv] ?? "");
  const settings = [`TYPE ${quoteIdentifier(extension)}`];
  if (extension === "duckdb" || extension === "bigquery") settings.push("READ_ONLY");
  if (extension === "bigquery" && token !== null) {
    const secret = quoteIdentifier(`bq_secret_${remote.alias}`);
    await connection.run(`CREATE OR REPLACE SECRET ${secret} (TYPE bigquery, ACCESS_TOKEN ${token})`);
  } else if (token !== null) {
    settings.push(`TOKEN ${token}`);
  }
  await connection.run(`ATTACH ${quoteLiteral(url)} AS ${quoteIdentifier(name)} (${settings.join(", ")})`);
}

async function loadExtension(connection: Connection, extension: string, install: boolean): Promise<void> {
  const name = quoteIdentifier(extension);
  try {
    await connection.run(`LOAD ${name}`);
  } catch (error) {
    if (!install) throw error;
    await connection.run(`INSTALL ${name}`);
    await connection.run(`LOAD ${name}`);
  }
}

function listOf(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  return text
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== "");
}
