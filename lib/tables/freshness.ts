/**
 * How current the cached metadata of a remote table is.
 *
 * - `fresh`: refreshed within two intervals, so that one failed refresh changes nothing.
 * - `stale`: refreshed before that. The last known metadata is kept.
 * - `never_fetched`: not requested yet.
 * - `no_data`: the source does not know the table, and never described it.
 * - `error`: the last refresh failed, and none has succeeded.
 */
export const metadataFreshness = ["fresh", "stale", "never_fetched", "no_data", "error"] as const;

/** See `metadataFreshness`. */
export type MetadataFreshness = (typeof metadataFreshness)[number];
