/** The only argument of the executable when it runs as a worker process for queries; see `runQueryWorker`. */
export const WORKER_ARGUMENT = "__query-worker";

/** The only argument of the program when it runs as the process of a source; see `runSyncProcess`. */
export const SYNC_ARGUMENT = "__sync-process";
