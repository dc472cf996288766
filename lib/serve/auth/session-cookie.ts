const NAME = "agnes_session";

/** The session of a request, from its cookie; null without one. */
export function sessionOf(request: Request): string | null {
  const cookies = request.headers.get("cookie") ?? "";
  const [, session] = /(?:^|;\s*)agnes_session=([\w-]{43})(?:;|$)/.exec(cookies) ?? [];
  return session ?? null;
}

/** The header `Set-Cookie` of a session, or of its end with `null`. */
export function sessionCookie(
  session: string | null,
  options: { readonly isSecure: boolean; readonly lifetimeMs: number },
): string {
  const seconds = session === null ? 0 : Math.floor(options.lifetimeMs / 1000);
  const secure = options.isSecure ? "; Secure" : "";
  return `${NAME}=${session ?? ""}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}
