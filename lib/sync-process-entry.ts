import { runSyncProcess } from "./sync-process.ts";

await runSyncProcess({ plugins: [] });
