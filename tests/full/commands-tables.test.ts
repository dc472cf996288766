import { runCommandsAlone } from "./commands-alone.ts";

runCommandsAlone();
await import("../cmd/bad-tables.test.ts");
await import("../cmd/files.test.ts");
await import("../cmd/table.test.ts");
