import { writeFile } from "node:fs/promises";

import { nodeFiles, type Files } from "../../lib/base/mod.ts";

/** The real file system for tests that write much and pull no plug: nothing waits for the disk. */
export function unsyncedFiles(): Files {
  return {
    ...nodeFiles(),
    sync: async () => {},
    write: (path, data, options) => writeFile(path, data, { flag: options?.replace === true ? "w" : "wx" }),
  };
}
