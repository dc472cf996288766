/** The only argument of the executable when it runs as a worker process for queries; see `runQueryWorker`. */
export const WORKER_ARGUMENT = "__query-worker";
