export { connectSource } from "./connect.ts";
export type { ConnectServices, SourceHandle, SourceToConnect } from "./connect.ts";
export { discoverTables } from "./discover.ts";
export { withoutSecrets } from "./guard/remote-secrets.ts";
export { checkHealth } from "./health.ts";
