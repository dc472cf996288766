export { runStream } from "./run-stream.ts";
export type { StreamedTable, StreamRequest, StreamStats } from "./run-stream.ts";
export { beginRead, endRead, readWindow } from "./read-window.ts";
export { hasSpooled, quarantineDirectory, Spool, spoolCounts } from "./spool.ts";
