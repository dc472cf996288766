// The tests of commands that `npm test` runs in one process, here each in a process of its own, as they are typed.
import { runEveryCommandAlone } from "../cmd/run-cli.ts";

runEveryCommandAlone();
await import("../cmd/bad-input.test.ts");
await import("../cmd/bad-tables.test.ts");
await import("../cmd/files.test.ts");
await import("../cmd/table.test.ts");
await import("../cmd/usage.test.ts");
await import("../cmd/workspace.test.ts");
