import type { CatalogOptions } from "./types.ts";

/** What every catalog of a workspace is opened with. */
export type CatalogServices = Required<Pick<CatalogOptions, "storage" | "host" | "log">>;
