import { join } from "node:path";

import { dataPaths } from "../workspace/mod.ts";

/** The file that holds every published table. */
export const analyticsPath = dataPaths.analytics;

/** The folder of all extracts. */
export const extractsPath = dataPaths.extracts;

/** The lock of a rebuild. */
export const rebuildLockPath = (dataDirectory: string): string => join(dataDirectory, "analytics", ".lock");
