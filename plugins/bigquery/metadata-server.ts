import type { Http } from "agnes/kit";
import * as v from "valibot";

import { scopesOf, type AccessToken } from "./auth-client.ts";
import { errors } from "./errors.ts";
import { valueOf, type Environment, type Settings } from "./settings.ts";

const schema = v.object({ access_token: v.pipe(v.string(), v.nonEmpty()), expires_in: v.number() });

/** The name of the metadata server in messages. */
export const METADATA_SERVER = "the metadata server";
/** Why the metadata server is used. */
export const NO_CREDENTIALS = "BIGQUERY_SERVICE_ACCOUNT_JSON and GOOGLE_APPLICATION_CREDENTIALS are not set";

/**
 * Returns a token of the service account of this machine, from the metadata server of Google Cloud. Not by Google's library,
 * which first looks for the server with a timeout of its own.
 * @throws `bigquery/credentials_missing`
 */
export async function tokenOfMachine(
  { http, now }: { readonly http: Http; readonly now: () => Date },
  settings: Pick<Settings, "driveScope">,
  environment: Environment,
): Promise<AccessToken> {
  const missing = (reason: string, cause?: unknown) =>
    errors.credentials_missing({ reason: `${NO_CREDENTIALS}, and ${reason}` }, { cause });
  if (valueOf(environment, "METADATA_SERVER_DETECTION") === "none")
    throw missing("the metadata server is off");
  const host = valueOf(environment, "GCE_METADATA_HOST") ?? "metadata.google.internal";
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  const request = {
    headers: { "metadata-flavor": "Google" },
    query: { scopes: scopesOf(settings).join(",") },
  };
  const ask = (retries?: number) =>
    http.json(url, { ...request, schema, ...(retries === undefined ? {} : { retries }) });
  try {
    const { access_token: token, expires_in: seconds } = await ask(0).catch((error: unknown) => {
      // Outside Google Cloud its name is unknown: a retry would delay the error, and be logged before it.
      if (/ENOTFOUND/.test((error as Error).message)) throw error;
      return ask();
    });
    return { token, expiresMs: now().getTime() + seconds * 1000 };
  } catch (error) {
    throw missing("there is no metadata server of Google Cloud", error);
  }
}
