import { AgnesError, optionalPackage, type Http } from "agnes/kit";
import type * as Library from "google-auth-library";

import type { StoredCredentials } from "./credentials.ts";
import { errors } from "./errors.ts";
import { externalAccountOf } from "./external-account.ts";
import type { Environment, Settings } from "./settings.ts";

/** An access token. */
export interface AccessToken {
  readonly token: string;
  /** Milliseconds since 1970. Unknown: it is used once. */
  readonly expiresMs?: number | undefined;
}

type ClientSettings = Pick<Settings, "driveScope" | "universeDomain" | "billingProject">;

/** Statuses of token endpoints that carry a message for the library. */
const REJECTIONS = [400, 401, 403, 404];

/** The OAuth scopes of the source. */
export function scopesOf({ driveScope }: Pick<Settings, "driveScope">): string[] {
  const scopes = ["https://www.googleapis.com/auth/bigquery"];
  return driveScope ? [...scopes, "https://www.googleapis.com/auth/drive.readonly"] : scopes;
}

/**
 * Returns a function that signs in with stored credentials, by Google's own library over the HTTP client of the source.
 * @throws `bigquery/credentials_invalid`, `package_missing`
 */
export async function authClient(
  credentials: StoredCredentials,
  settings: ClientSettings,
  { http, environment }: { readonly http: Http; readonly environment: Environment },
): Promise<() => Promise<AccessToken>> {
  const library = await optionalPackage("google-auth-library", () => import("google-auth-library"));
  const client = clientOf(
    library,
    credentials,
    {
      transporterOptions: { fetchImplementation: fetchBy(http) },
      universeDomain: settings.universeDomain,
      // Without a project the library looks for one, which takes seconds.
      projectId: settings.billingProject,
    },
    { settings, environment },
  );
  return async () => {
    const headers = await client.getRequestHeaders();
    const token = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "")?.[1];
    if (token === undefined)
      throw errors.sign_in_failed({
        origin: credentials.origin,
        reason: "there is no token in the response",
      });
    return { token, expiresMs: client.credentials.expiry_date ?? undefined };
  };
}

function clientOf(
  { JWT, UserRefreshClient, IdentityPoolClient, AwsClient }: typeof Library,
  credentials: StoredCredentials,
  options: Library.OAuth2ClientOptions,
  { settings, environment }: { readonly settings: ClientSettings; readonly environment: Environment },
): Library.AuthClient {
  const { origin, json } = credentials;
  const scopes = scopesOf(settings);
  const textOf = (key: string): string => {
    const value = json[key];
    if (typeof value === "string" && value !== "") return value;
    throw errors.credentials_invalid({ origin, reason: `it has no ${key}` });
  };
  const type = textOf("type");
  switch (type) {
    case "service_account":
      return new JWT({ ...options, email: textOf("client_email"), key: textOf("private_key"), scopes });
    case "authorized_user":
      return new UserRefreshClient({
        ...options,
        clientId: textOf("client_id"),
        clientSecret: textOf("client_secret"),
        refreshToken: textOf("refresh_token"),
      });
    case "external_account": {
      const { json: account, isAws } = externalAccountOf(credentials, settings, environment);
      const Client = isAws ? AwsClient : IdentityPoolClient;
      const client = new Client({ ...account, ...options, scopes } as never);
      // The library has no option for the client of this exchange.
      const { stsCredential } = client as unknown as { readonly stsCredential: { transporter: unknown } };
      stsCredential.transporter = client.transporter;
      return client;
    }
    default:
      throw errors.credentials_invalid({
        origin,
        reason: `its type is ${type}, not service_account, authorized_user or external_account`,
      });
  }
}

/** The `fetch` of the library: a request of the source's client, whose log contains no secret. */
function fetchBy(http: Http): (input: unknown, init?: RequestInit) => Promise<Response> {
  return async (input, { method = "GET", headers, body } = {}) => {
    const url = String(input instanceof Request ? input.url : input);
    try {
      const response = await http.request(url, {
        method,
        headers: Object.fromEntries(new Headers(headers).entries()),
        ...(body === undefined || body === null ? {} : { body: textOfBody(body) }),
        accept: REJECTIONS,
        idempotent: true,
      });
      const bytes = await response.bytes();
      return new Response(bytes as Uint8Array<ArrayBuffer>, {
        status: response.status,
        headers: response.headers,
      });
    } catch (error) {
      // The library repeats failed requests, and the client has done so already.
      if (error instanceof AgnesError)
        throw Object.assign(new Error(error.message, { cause: error }), STOPPED);
      throw error;
    }
  };
}

const STOPPED = { code: "AbortError" };

function textOfBody(body: NonNullable<RequestInit["body"]>): string {
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("the library sends a body of an unknown kind");
}
