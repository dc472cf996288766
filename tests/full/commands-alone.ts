import { afterAll, beforeAll } from "bun:test";

import { runEveryCommandAlone } from "../cmd/run-cli.ts";

/** Runs the commands of this file of tests each in a process of its own, as they are typed; `npm test` runs them in one. */
export function runCommandsAlone(): void {
  beforeAll(() => runEveryCommandAlone());
  // The runner goes on with these modules in other files.
  afterAll(() => runEveryCommandAlone(false));
}
