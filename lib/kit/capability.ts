/** All capabilities of connectors, in the order of the documentation. */
export const capabilities = ["discover", "read", "stream", "remote", "query", "metadata", "write"] as const;

/**
 * One capability of a connector; see `CapabilityMethods` for its methods.
 *
 * The plugin declares each one and implements its methods in `CapabilityMethods`; a table may have fewer. Without it:
 *
 * - `discover`: tables are registered by hand, with the columns of the rows that are read.
 * - `read`: nothing is extracted; a table can only be remote or materialized.
 * - `stream`: pushed requests are refused.
 * - `remote`: queries of a remote table use `query` or `read`.
 * - `query`: no SQL runs in the source; no hybrid queries, and materialized tables only by JSON (`Plugin.sourceQuery`).
 * - `metadata`: rows and bytes are known only for extracted tables.
 * - `write`: no rows are written back to the source.
 */
export type Capability = (typeof capabilities)[number];
