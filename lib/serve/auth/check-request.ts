import { AgnesError } from "../../base/mod.ts";
import type { ServerConfig } from "../../workspace/mod.ts";
import { sessionOf } from "./session-cookie.ts";

/** Methods that change nothing. */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

type CheckedConfig = Pick<ServerConfig, "publicUrl" | "corsOrigins">;

/**
 * Checks the headers Host and Origin of a request, so that a web page of another site, also one that points its own name at
 * this machine, cannot use the server. The whole value of Host must match, because repeated headers arrive joined.
 *
 * @param hosts the values of Host that the transport allows; without them and `server.publicUrl`, neither is checked
 * @throws `host_not_allowed`, `origin_not_allowed`
 */
export function checkRequest(
  request: Request,
  hosts: readonly string[] | undefined,
  config: CheckedConfig,
): void {
  const publicUrl = config.publicUrl === null ? null : new URL(config.publicUrl);
  const isChecked = hosts !== undefined || publicUrl !== null;
  const host = request.headers.get("host")?.toLowerCase() ?? "";
  const allowedHosts = [...(hosts ?? []), ...(publicUrl === null ? [] : hostsOf(publicUrl))];
  if (isChecked && !allowedHosts.includes(host)) throw new AgnesError("host_not_allowed", {});
  const origin = request.headers.get("origin");
  const own = isChecked
    ? [...(hosts ?? []).map((one) => `http://${one}`), ...(publicUrl === null ? [] : [publicUrl.origin])]
    : [new URL(request.url).origin];
  const isOwn = origin !== null && own.includes(origin.toLowerCase());
  if (isChecked && origin !== null && !isOwn && !config.corsOrigins.includes(origin))
    throw new AgnesError("origin_not_allowed", {});
  const byCookie = !request.headers.has("authorization") && sessionOf(request) !== null;
  if (byCookie && !SAFE.has(request.method) && !isOwn) throw new AgnesError("origin_not_allowed", {});
}

/** The values of Host for a URL: clients omit the default port, and some do not. */
function hostsOf(url: URL): readonly string[] {
  if (url.port !== "") return [url.host];
  return [url.host, `${url.hostname}:${url.protocol === "https:" ? 443 : 80}`];
}
