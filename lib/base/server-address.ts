import { AgnesError, causesOf, messageOf } from "./errors/mod.ts";

const CONNECTION_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "no server listens there",
  ENOTFOUND: "the host name is not known",
};

/** Why a request did not reach a server. Node has the code in the cause of the error. */
export function connectionReason(error: unknown): string {
  const codes = causesOf(error).map((cause) => (cause as { readonly code?: unknown } | null)?.code);
  const known = codes.find((code) => typeof code === "string" && Object.hasOwn(CONNECTION_REASONS, code));
  return known === undefined ? messageOf(error) : CONNECTION_REASONS[known as string]!;
}

/**
 * Checks the address of a server of Agnes: a token is sent over https only, or to this machine.
 * @throws `server_address_invalid`
 */
export function checkServerAddress(server: string): URL {
  const invalid = (reason: string) => new AgnesError("server_address_invalid", { server, reason });
  const hasProtocol = /^(?:https?:|[a-z][a-z0-9+.-]*:\/\/)/i.test(server.trim());
  if (!hasProtocol)
    throw new AgnesError("server_address_invalid", {
      server: hostIn(server),
      reason: "http:// or https:// is missing, as in http://127.0.0.1:8080",
    });
  if (!URL.canParse(server))
    throw new AgnesError("server_address_invalid", { server: "", reason: "it is not a URL" });
  const url = new URL(server);
  // The address is not repeated: it has a password.
  if (url.username !== "" || url.password !== "")
    throw new AgnesError("server_address_invalid", {
      server: url.host,
      reason: "it has a user or password; set AGNES_TOKEN instead",
    });
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") throw invalid("it has a path");
  if (url.protocol === "https:") return url;
  if (url.protocol !== "http:") throw invalid("it is not an http address");
  if (!isLoopback(url.hostname)) throw invalid("only https keeps the token secret on a network");
  return url;
}

/** Returns a token that a header can have. @throws `token_invalid` */
export function checkServerToken(token: string | undefined): string | undefined {
  const trimmed = token?.trim();
  if (trimmed === undefined || /^[\x21-\x7e]*$/.test(trimmed)) return trimmed;
  const texts = {
    message:
      "AGNES_TOKEN is not a valid token: it has a line break, a space or another character that no token has",
    hint: "Set AGNES_TOKEN to one token of the server, without other text.",
  };
  const invalid = new AgnesError("token_invalid", {});
  throw invalid.withDetails(invalid.details, { texts });
}

/** The host and port of an address without a protocol; not a user, a password or a path. */
function hostIn(server: string): string {
  return server
    .slice(server.lastIndexOf("@") + 1)
    .trim()
    .replace(/[/?#].*$/s, "");
}

/** URL writes each address in one form only. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname) ||
    /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(hostname)
  );
}
