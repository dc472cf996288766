import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import type { Secret } from "agnes/kit";

import { errors } from "./errors.ts";
import { valueOf, type Environment } from "./settings.ts";

const FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS";

/** Credentials as a JSON document, and where they come from. */
export interface StoredCredentials {
  /** For messages: the name of a variable or a path. */
  readonly origin: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Returns the credentials of the source: those of its secret, of the file in GOOGLE_APPLICATION_CREDENTIALS, or of
 * `gcloud`; null if there are none. The secret is first, because it belongs to one source and the file to all.
 * @throws `bigquery/credentials_invalid`
 */
export async function storedCredentials(
  secret: Secret | undefined,
  environment: Environment,
): Promise<StoredCredentials | null> {
  if (secret !== undefined) return parsed(secret.name, secret.reveal());
  const path = valueOf(environment, FILE_VARIABLE);
  if (path !== undefined) return parsed(FILE_VARIABLE, await textOf(path));
  const own = gcloudPath(environment);
  try {
    return parsed(own, await readFile(own, "utf8"));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const reason = isMissing(error) ? `there is no file ${path}` : `${path} cannot be read`;
    throw errors.credentials_invalid({ origin: FILE_VARIABLE, reason }, { cause: error });
  }
}

/** Where `gcloud auth application-default login` stores credentials. */
function gcloudPath(environment: Environment): string {
  const data = valueOf(environment, "APPDATA");
  const isWindows = process.platform === "win32" && data !== undefined;
  const home = valueOf(environment, "HOME") ?? homedir();
  const folder =
    valueOf(environment, "CLOUDSDK_CONFIG") ??
    (isWindows ? join(data, "gcloud") : join(home, ".config", "gcloud"));
  return join(folder, "application_default_credentials.json");
}

function parsed(origin: string, text: string): StoredCredentials {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The message of the parser contains a part of the text.
    throw errors.credentials_invalid({ origin, reason: "it is not JSON" });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw errors.credentials_invalid({ origin, reason: "it is not a JSON object" });
  return { origin, json: json as Readonly<Record<string, unknown>> };
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
