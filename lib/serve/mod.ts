export type { RequestInfo } from "./app.ts";
export type { Grants, Principal, Role } from "./auth/principal.ts";
export { Tokens, type NewToken, type TokenInfo } from "./auth/tokens.ts";
export { createServer, type Server } from "./server.ts";
export type { ServedWorkspace } from "./workspace.ts";
