import { writeFile } from "node:fs/promises";

import { nodeFiles, type Files } from "../../lib/base/mod.ts";

/** The real file system without fsync, for tests that write much and simulate no power failure. */
export function unsyncedFiles(): Files {
  return {
    ...nodeFiles(),
    sync: async () => {},
    write: (path, data, options) => writeFile(path, data, { flag: options?.replace === true ? "w" : "wx" }),
  };
}
