export type { RequestInfo } from "./request-info.ts";
export type { Authorize, AuthorizedTable, ServerOptions } from "./auth/authorize.ts";
export type { Grants, Principal, Role } from "./auth/principal.ts";
export { SignIn } from "./auth/sign-in.ts";
export { Tokens, type NewToken, type TokenInfo } from "./auth/tokens.ts";
export { createServer, type Server } from "./server.ts";
export type { ServedWorkspace } from "./workspace.ts";
