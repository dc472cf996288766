export type { RequestInfo } from "./request-info.ts";
export type { Authorize, AuthorizedTable } from "./auth/authorize.ts";
export type { ServerOptions } from "./server-options.ts";
export type { Grants, Principal, Role } from "./auth/principal.ts";
export { partsOf, ServerState } from "./state.ts";
export { Subscriptions } from "./distribution/subscriptions.ts";
export { Tokens, type NewToken, type TokenInfo } from "./auth/tokens.ts";
export { createServer, type Server } from "./server.ts";
export type { ServedWorkspace } from "./workspace.ts";
