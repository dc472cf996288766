import { endWithParent } from "../../base/mod.ts";

// First of all, because loading the rest takes time.
await endWithParent();
const { runQueryWorker } = await import("./run-worker.ts");
await runQueryWorker();
