import { checkEnvironmentName, isExposedName, formatValue, type Host } from "../../base/mod.ts";
import type { RemoteDatabase } from "../model.ts";
import { variablesOf } from "./plan.ts";

/** A database that an extract requests; untrusted, unless the plugin of its source declares the same. */
export type RemoteRequest = Omit<RemoteDatabase, "refusal">;

/**
 * Returns the reason why a database may not be attached; null if it may.
 *
 * Extracts are untrusted: without this check, an extract could send any environment variable to any host. Allowed are
 * the databases that the plugin of the source declares, and the extensions that a loaded plugin allows for extracts of
 * other programs. The comma-separated lists `AGNES_REMOTE_ATTACH_EXTENSIONS`, `…_TOKEN_ENVS` and `…_HOST_ALLOWLIST`
 * replace these rules.
 */
export function refusalOf(env: Host["env"], remote: RemoteRequest): string | null {
  const { alias, extension, plan, tokenEnv } = remote;
  if (!isExposedName(alias)) return `the alias ${formatValue(alias)} is not a valid name`;
  if (!isExposedName(extension)) return `the extension ${formatValue(extension)} is not a valid name`;
  return (
    extensionRefusal(env, remote) ??
    (plan.takesToken || tokenEnv === "" || variablesOf(plan).includes(tokenEnv)
      ? null
      : `no plugin states how the extension ${extension} takes its token`) ??
    tokenRefusal(env, remote) ??
    hostRefusal(env, remote)
  );
}

function extensionRefusal(env: Host["env"], { extension, declared, plan }: RemoteRequest): string | null {
  const listed = listOf(env["AGNES_REMOTE_ATTACH_EXTENSIONS"]);
  if (extension === "duckdb") {
    return declared || listed?.includes(extension) === true
      ? null
      : "a DuckDB file is attached only if the plugin of the source declares it";
  }
  if (listed !== null) {
    return listed.includes(extension.toLowerCase())
      ? null
      : `the extension ${extension} is not on the list (AGNES_REMOTE_ATTACH_EXTENSIONS)`;
  }
  if (declared || (plan.plugin !== null && plan.foreign)) return null;
  return plan.plugin === null
    ? `no loaded plugin declares the extension ${extension}`
    : `the extension ${extension} attaches only what the plugin of the source declares`;
}

function tokenRefusal(env: Host["env"], { plan, tokenEnv }: RemoteRequest): string | null {
  const replaced = listOf(env["AGNES_REMOTE_ATTACH_TOKEN_ENVS"]);
  for (const name of new Set([...variablesOf(plan), ...(tokenEnv === "" ? [] : [tokenEnv])])) {
    try {
      checkEnvironmentName("the token variable", name);
    } catch {
      return `the token variable ${formatValue(name)} is not a valid name`;
    }
    const allowed = replaced === null ? plan.variables.includes(name) : replaced.includes(name.toLowerCase());
    if (!allowed) {
      return replaced === null
        ? `the token variable ${name} is not declared by the plugin of the extension`
        : `the token variable ${name} is not on the list (AGNES_REMOTE_ATTACH_TOKEN_ENVS)`;
    }
    if ((env[name] ?? "") === "") return `the environment variable ${name} is not set`;
  }
  return null;
}

function hostRefusal(env: Host["env"], { plan, url }: RemoteRequest): string | null {
  const listed = listOf(env["AGNES_REMOTE_ATTACH_HOST_ALLOWLIST"]);
  if (listed === null) return null;
  if (plan.hosts === null) return `cannot determine the host of the address ${formatValue(url)}`;
  const other = plan.hosts.find((host) => !listed.includes(host.toLowerCase()));
  return other === undefined
    ? null
    : `the host ${other} is not on the list (AGNES_REMOTE_ATTACH_HOST_ALLOWLIST)`;
}

/** Whether an extract that no plugin declares may send a token to any host; such extracts cause a warning. */
export function isAnyHost(env: Host["env"], { declared, plan }: RemoteRequest): boolean {
  const reachesHosts = plan.hosts === null || plan.hosts.length > 0;
  return (
    !declared &&
    reachesHosts &&
    variablesOf(plan).length > 0 &&
    listOf(env["AGNES_REMOTE_ATTACH_HOST_ALLOWLIST"]) === null
  );
}

function listOf(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  return text
    .split(",")
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== "");
}
