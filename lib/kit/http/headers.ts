import { Secret } from "../../base/mod.ts";
import type { HttpDefaults, HttpRequest } from "./http.ts";
import { revealed } from "./target.ts";

const CREDENTIAL_NAME =
  /authorization|cookie|token|secret|password|credential|signature|session|api-?key|auth-?key|access-?key/i;

/** Headers in two parts: those anyone may see, and the credentials, which only `origin` gets. */
export interface HeaderLayer {
  readonly origin: string;
  readonly plain: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
}

/** Parts headers. A `Secret`, a name in `credentialNames` or one that speaks of a token is a credential. */
export function headerLayer(
  headers: HttpRequest["headers"],
  credentialNames: readonly string[],
  origin: string,
): HeaderLayer {
  const plain: Record<string, string> = {};
  const credentials: Record<string, string> = {};
  const named = new Set(credentialNames.map((name) => name.toLowerCase()));
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase();
    const isCredential = value instanceof Secret || named.has(key) || CREDENTIAL_NAME.test(key);
    (isCredential ? credentials : plain)[key] = revealed(value);
  }
  return { origin, plain, credentials };
}

/** What of the layers is sent to an origin; later layers win. */
export function headersFor(layers: readonly HeaderLayer[], origin: string): Headers {
  const headers = new Headers({ "user-agent": "agnes" });
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.plain)) headers.set(name, value);
    if (layer.origin !== origin) continue;
    for (const [name, value] of Object.entries(layer.credentials)) headers.set(name, value);
  }
  return headers;
}

/** The `Authorization` of `basic`. */
export function basicAuthorization({ user, password }: NonNullable<HttpDefaults["basic"]>): Secret {
  const encoded = Buffer.from(`${revealed(user)}:${revealed(password)}`).toString("base64");
  return new Secret("basic", `Basic ${encoded}`);
}

/** Adds every secret value that `given` holds to the set of texts that no message may show. */
export function rememberSecrets(secrets: Set<string>, given: HttpDefaults | HttpRequest): void {
  const { headers, query } = given;
  const values: unknown[] = [...Object.values(headers ?? {}), ...Object.values(query ?? {})];
  if ("bearer" in given) values.push(given.bearer);
  if ("basic" in given && given.basic !== undefined) {
    values.push(given.basic.user, given.basic.password, new Secret("basic", basicCode(given.basic)));
  }
  if ("form" in given) values.push(...Object.values(given.form ?? {}));
  for (const value of values) if (value instanceof Secret) secrets.add(value.reveal());
}

function basicCode(basic: NonNullable<HttpDefaults["basic"]>): string {
  return basicAuthorization(basic).reveal().slice("Basic ".length);
}
