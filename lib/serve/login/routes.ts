import * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";
import { route, type Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";
import { sessionCookie, sessionOf } from "../auth/session-cookie.ts";

const names = (description: string) => v.pipe(v.array(v.string()), v.description(description));

const me = v.object({
  id: v.pipe(v.string(), v.description("The id of the token")),
  name: v.pipe(v.string(), v.description("The name of the token")),
  role: v.picklist(["admin", "analyst"]),
  grants: v.pipe(
    v.nullable(
      v.object({
        tables: names("Ids of tables, `source.table`"),
        sources: names("Sources, for all their tables"),
        folders: names("Folders, for all their tables"),
      }),
    ),
    v.description("The tables that the token may access; null: all"),
  ),
  expires_at: v.pipe(v.nullable(v.string()), v.description("When the token expires, ISO 8601; null: never")),
  permissions: v.pipe(
    v.array(v.picklist(["read", "manage"])),
    v.description(
      "read: query the granted tables; manage: change the registry, and read what administrators may",
    ),
  ),
});

const login = v.strictObject({
  code: v.pipe(v.string(), v.maxLength(200), v.description("The code of the link that `agnes serve` prints")),
});

/** `GET /api/me`, `GET /login` and `POST /api/logout`. */
export function loginRoutes(): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/me",
      operationId: "getMe",
      tag: "auth",
      summary: "Return who the token belongs to and what it may do",
      access: "signed_in",
      responses: { 200: { description: "The principal of the request", schema: me } },
      handle: ({ principal }) =>
        Response.json({
          id: principal.id,
          name: principal.name,
          role: principal.role,
          grants: principal.grants,
          expires_at: principal.expiresAt,
          permissions: principal.role === "admin" ? ["read", "manage"] : ["read"],
        }),
    }),
    route({
      method: "get",
      path: "/login",
      operationId: "logIn",
      tag: "auth",
      summary: "Open a session for a browser, with the code of the login link",
      access: "public",
      query: login,
      responses: { 200: { description: "The browser is signed in by a cookie", types: ["text/plain"] } },
      errors: [401, 429],
      handle: async ({ services, query, request, address }) => {
        // A HEAD request, such as of a preview of the link, must not use the code.
        if (request.method !== "HEAD" && !services.signIn.takeCode(query.code)) {
          services.signIn.failures.count(address);
          throw new AgnesError("login_code_invalid", {});
        }
        const headers = new Headers({
          "content-type": "text/plain; charset=utf-8",
          "cache-control": "no-store",
          "referrer-policy": "no-referrer",
        });
        if (request.method !== "HEAD") headers.set("set-cookie", await newSession(services));
        return new Response(signedIn(services), { headers });
      },
    }),
    route({
      method: "post",
      path: "/api/logout",
      operationId: "logOut",
      tag: "auth",
      summary: "End the session of the browser",
      description: "A request with a token changes nothing.",
      access: "signed_in",
      responses: { 204: { description: "The session has ended" } },
      handle: async ({ services, request, principal }) => {
        const session = request.headers.has("authorization") ? null : sessionOf(request);
        if (session === null) return new Response(null, { status: 204 });
        services.signIn.closeSession(session);
        await (await services.tokens()).revoke(principal.id, { actor: principal.id });
        return new Response(null, { status: 204, headers: { "set-cookie": cookie(services, null) } });
      },
    }),
  ];
}

/** What the browser shows: who is signed in, until when, and where to go on. */
function signedIn({ host, signIn }: ServeServices): string {
  const until = new Date(host.now().getTime() + signIn.sessionLifetimeMs).toISOString();
  return [
    `You are signed in as administrator until ${until}, or until the server is restarted.`,
    "",
    "/api/me          who is signed in, and the permissions",
    "/api/v2/catalog  the published tables",
    "/api/runs        the runs of the sources",
    "/openapi.json    all routes of the HTTP API",
    "",
    "`agnes token create NAME` on the server creates a token for programs. POST /api/logout signs you out.",
    "",
  ].join("\n");
}

/** Opens a session of an administrator. Its token has the role, so that the session ends when the token is revoked. */
async function newSession(services: ServeServices): Promise<string> {
  const tokens = await services.tokens();
  await tokens.removeEndedSessions();
  const expiresAt = new Date(services.host.now().getTime() + services.signIn.sessionLifetimeMs);
  const { info } = await tokens.create({
    name: "login link",
    kind: "session",
    role: "admin",
    expiresAt,
    actor: "login link",
  });
  return cookie(services, services.signIn.openSession(info.id));
}

function cookie({ config, signIn }: ServeServices, session: string | null): string {
  const isSecure = config.publicUrl?.startsWith("https:") === true;
  return sessionCookie(session, { isSecure, lifetimeMs: signIn.sessionLifetimeMs });
}
