import { runCommandsAlone } from "./commands-alone.ts";

runCommandsAlone();
await import("../cmd/bad-input.test.ts");
await import("../cmd/usage.test.ts");
await import("../cmd/workspace.test.ts");
