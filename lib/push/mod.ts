export { runStream } from "./run-stream.ts";
export type { StreamRequest, StreamStats } from "./run-stream.ts";
export { Spool, spoolCounts } from "./spool.ts";
