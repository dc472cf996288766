import { AgnesError, printable, redact, Secret } from "../../base/mod.ts";
import type { HttpQuery } from "./http.ts";

/** An address as it may be read by anyone: without query, user or known secrets. */
export function shownUrl(url: URL, secrets: Iterable<string>): string {
  return printable(redact(`${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`, secrets));
}

/** The address that a request names: a path below `baseUrl`, or whole in itself. */
export function resolveUrl(address: string, baseUrl: string | undefined, secrets: Iterable<string>): URL {
  const whole = baseUrl === undefined || /^[a-z][a-z0-9+.-]*:/i.test(address);
  // `//host/path` would leave the base's host without looking like it, so every leading slash goes.
  const full = whole ? address : `${baseUrl.replace(/\/+$/, "")}/${address.replace(/^\/+/, "")}`;
  try {
    return new URL(full);
  } catch {
    const shown = printable(redact(full.split("?")[0]!, secrets));
    throw new AgnesError("source_refused", {
      reason: `${shown} is not a whole address${baseUrl === undefined ? ", and no base address is set" : ""}`,
    });
  }
}

/** Refuses what may not be asked: other protocols, other hosts than the given, users in the address. */
export function checkTarget(url: URL, hosts: readonly string[] | undefined, secrets: Iterable<string>): void {
  const refuse = (reason: string): never => {
    const shown = shownUrl(url, secrets);
    throw new AgnesError("source_refused", { reason: `${shown}: ${reason}`, url: shown });
  };
  if (url.protocol !== "https:" && url.protocol !== "http:") refuse("only http and https can be asked");
  if (url.username !== "" || url.password !== "") refuse("the address carries a user or password");
  if (hosts !== undefined && !hosts.some((pattern) => matches(url.hostname, pattern.toLowerCase()))) {
    refuse(`only these hosts may be asked: ${hosts.join(", ")}`);
  }
}

/** Sets parameters; those that are there already are replaced. */
export function setQuery(url: URL, query: HttpQuery | undefined): void {
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    url.searchParams.delete(name);
    const items = (Array.isArray(value) ? value : [value]) as readonly (string | number | boolean | Secret)[];
    for (const item of items) url.searchParams.append(name, revealed(item));
  }
}

/** The text of a value that may be a secret. */
export function revealed(value: string | number | boolean | Secret): string {
  return value instanceof Secret ? value.reveal() : String(value);
}

function matches(host: string, pattern: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
