import { AgnesError } from "../../base/mod.ts";
import { redactedUrl } from "./target.ts";

const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

/** The next request. */
export interface RedirectTarget {
  readonly url: URL;
  readonly method: string;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Returns the target of a redirect, or `null` if the response is not a redirect.
 *
 * @throws `source_refused` if it leads from https to http, sends a body to another origin, or exceeds the limit
 */
export function redirected(
  response: Response,
  from: RedirectTarget,
  {
    hops,
    hopsMax,
    secrets,
  }: { readonly hops: number; readonly hopsMax: number; readonly secrets: Iterable<string> },
): RedirectTarget | null {
  const location = response.headers.get("location");
  if (!REDIRECT_STATUSES.has(response.status) || location === null) return null;
  const redacted = redactedUrl(from.url, secrets);
  const refuse = (reason: string) =>
    new AgnesError("source_refused", {
      reason: `${from.method} ${redacted} ${reason}`,
      url: redacted,
      status: response.status,
    });
  if (hopsMax === 0) throw refuse("redirects, which is not allowed");
  if (hops >= hopsMax) throw refuse(`redirects more than ${hopsMax} times`);
  if (!URL.canParse(location, from.url.href)) throw refuse("redirects to an invalid URL");
  const url = new URL(location, from.url);
  if (from.url.protocol === "https:" && url.protocol === "http:")
    throw refuse("redirects from https to http");
  const becomesGet =
    (response.status === 303 && from.method !== "HEAD") ||
    ((response.status === 301 || response.status === 302) && from.method === "POST");
  if (becomesGet) return { url, method: "GET", body: undefined };
  // A body may contain credentials, like a header.
  if (from.body !== undefined && url.origin !== from.url.origin) {
    throw refuse(`redirects its body to another host, ${url.host}`);
  }
  return { url, method: from.method, body: from.body };
}
