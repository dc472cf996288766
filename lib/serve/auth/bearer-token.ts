import { AgnesError } from "../../base/mod.ts";

/** The token of a request. @throws `token_missing` */
export function bearerToken(request: Request): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (token === undefined) throw new AgnesError("token_missing", {});
  return token;
}
