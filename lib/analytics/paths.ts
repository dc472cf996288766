import { join } from "node:path";

import { dataPaths } from "../workspace/mod.ts";

/** The path of `analytics.duckdb`, which contains all published tables. */
export const analyticsPath = dataPaths.analytics;

/** The path of the folder of all extracts. */
export const extractsPath = dataPaths.extracts;

/** The path of the lock of a rebuild. */
export const rebuildLockPath = (dataDirectory: string): string => join(dataDirectory, "analytics", ".lock");
