/**
 * Everything a connector can be able to do, in the order of the documentation.
 *
 * Each is declared by the plugin and comes with the methods of `CapabilityMethods`; a table may name fewer. Without it:
 *
 * - `discover`: tables are registered by hand, with their columns taken from what is read.
 * - `read`: nothing is extracted; a table can only be remote or materialized.
 * - `stream`: pushed requests are refused.
 * - `remote`: a remote table is answered live through `query` or `read`.
 * - `query`: no SQL runs in the source; no hybrid queries, no materialized tables.
 * - `metadata`: rows and bytes are known only of what was extracted.
 * - `write`: nothing is ever pushed back.
 *
 * @example
 * ```ts
 * import { capabilities } from "agnes/kit";
 * capabilities.includes("read"); // true
 * ```
 */
export const capabilities = ["discover", "read", "stream", "remote", "query", "metadata", "write"] as const;

/** One thing a connector can do; each comes with the methods of `CapabilityMethods`. */
export type Capability = (typeof capabilities)[number];
