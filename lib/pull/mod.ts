export { pullTables } from "./pull.ts";
export { rsyncFilter } from "./rsync.ts";
export type { PulledTable, PullOptions, PullProgress, PullReport } from "./types.ts";
