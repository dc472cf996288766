import { Secret } from "../../base/mod.ts";
import type { HttpDefaults, HttpRequest } from "./http.ts";
import { revealed } from "./target.ts";

const CREDENTIAL_NAME =
  /authorization|cookie|token|secret|password|credential|signature|session|api-?key|auth-?key|access-?key/i;

/** Headers split into plain headers and credentials; only `origin` receives the credentials. */
export interface HeaderLayer {
  readonly origin: string;
  readonly plain: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
}

/** Splits headers. A header is a credential if it is a `Secret`, is in `credentialNames` or has a name like a token's. */
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

/** Returns the headers for an origin; later layers override earlier ones. */
export function headersFor(layers: readonly HeaderLayer[], origin: string): Headers {
  const headers = new Headers({ "user-agent": "agnes" });
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.plain)) headers.set(name, value);
    if (layer.origin !== origin) continue;
    for (const [name, value] of Object.entries(layer.credentials)) headers.set(name, value);
  }
  return headers;
}

/** The `Authorization` header for `basic`. */
export function basicAuthorization({ user, password }: NonNullable<HttpDefaults["basic"]>): Secret {
  const encoded = Buffer.from(`${revealed(user)}:${revealed(password)}`).toString("base64");
  return new Secret("basic", `Basic ${encoded}`);
}

/** Adds every secret value in `options` to the set of values to redact. */
export function rememberSecrets(secrets: Set<string>, options: HttpDefaults | HttpRequest): void {
  const { headers, query } = options;
  const values: unknown[] = [...Object.values(headers ?? {}), ...Object.values(query ?? {})];
  if ("bearer" in options) values.push(options.bearer);
  if ("basic" in options && options.basic !== undefined) {
    values.push(options.basic.user, options.basic.password, new Secret("basic", basicCode(options.basic)));
  }
  if ("form" in options) values.push(...Object.values(options.form ?? {}));
  for (const value of values) if (value instanceof Secret) secrets.add(value.reveal());
}

function basicCode(basic: NonNullable<HttpDefaults["basic"]>): string {
  return basicAuthorization(basic).reveal().slice("Basic ".length);
}
