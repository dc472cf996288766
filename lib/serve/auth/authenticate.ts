import { AgnesError, isAgnesError } from "../../base/mod.ts";
import { bearerToken } from "./bearer-token.ts";
import type { Principal } from "./principal.ts";
import { sessionOf } from "./session-cookie.ts";
import type { SignIn } from "./sign-in.ts";
import type { Tokens } from "./tokens.ts";

/**
 * Finds out who makes a request: by its token, or without one by the session of its cookie. The role is read from the
 * stored token each time.
 *
 * @throws `token_missing`, `token_invalid`, `session_expired`, `sign_in_limited`
 */
export async function authenticate(
  request: Request,
  address: string | null,
  { tokens, signIn }: { readonly tokens: () => Promise<Tokens>; readonly signIn: SignIn },
): Promise<Principal> {
  const session = request.headers.has("authorization") ? null : sessionOf(request);
  if (session !== null) {
    const id = signIn.tokenOf(session);
    const principal = id === null ? null : await (await tokens()).principal(id);
    if (principal === null) throw new AgnesError("session_expired", {});
    return principal;
  }
  const token = bearerToken(request);
  try {
    return await (await tokens()).verify(token);
  } catch (error) {
    if (isAgnesError(error, "token_invalid")) signIn.failures.count(address);
    throw error;
  }
}
