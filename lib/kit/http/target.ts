import { AgnesError, printable, redact, Secret } from "../../base/mod.ts";
import type { HttpQuery } from "./http.ts";

/** Returns a URL for messages, without query, user information and known secrets. */
export function redactedUrl(url: URL, secrets: Iterable<string>): string {
  return printable(redact(`${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`, secrets));
}

/** Returns the URL of a request: a path relative to `baseUrl`, or an absolute URL. */
export function resolveUrl(address: string, baseUrl: string | undefined, secrets: Iterable<string>): URL {
  const isAbsolute = baseUrl === undefined || /^[a-z][a-z0-9+.-]*:/i.test(address);
  // `//host/path` would change the host, so all leading slashes are removed.
  const full = isAbsolute ? address : `${baseUrl.replace(/\/+$/, "")}/${address.replace(/^\/+/, "")}`;
  try {
    return new URL(full);
  } catch {
    const redacted = printable(redact(full.split("?")[0]!, secrets));
    throw new AgnesError("source_refused", {
      reason: `${redacted} is not an absolute URL${baseUrl === undefined ? ", and no base URL is set" : ""}`,
    });
  }
}

/** Rejects URLs with other protocols, with hosts that are not allowed, or with user information. */
export function checkTarget(url: URL, hosts: readonly string[] | undefined, secrets: Iterable<string>): void {
  const refuse = (reason: string): never => {
    const redacted = redactedUrl(url, secrets);
    throw new AgnesError("source_refused", { reason: `${redacted}: ${reason}`, url: redacted });
  };
  if (url.protocol !== "https:" && url.protocol !== "http:") refuse("only http and https are supported");
  if (url.username !== "" || url.password !== "") refuse("the URL contains a user or password");
  if (hosts !== undefined && !hosts.some((pattern) => matches(url.hostname, pattern.toLowerCase()))) {
    refuse(`only these hosts are allowed: ${hosts.join(", ")}`);
  }
}

/** Sets query parameters; existing ones are replaced. */
export function setQuery(url: URL, query: HttpQuery | undefined): void {
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    url.searchParams.delete(name);
    const items = (Array.isArray(value) ? value : [value]) as readonly (string | number | boolean | Secret)[];
    for (const item of items) url.searchParams.append(name, revealed(item));
  }
}

/** Returns the text of a value that may be a secret. */
export function revealed(value: string | number | boolean | Secret): string {
  return value instanceof Secret ? value.reveal() : String(value);
}

function matches(host: string, pattern: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
