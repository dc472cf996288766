import type { Health, TableInfo } from "../kit/mod.ts";
import type { SourceHandle } from "./connect.ts";

/**
 * Access to the sources of a workspace, without syncing them. Each method connects to the source.
 *
 * @example
 * ```ts
 * import { createAgnes } from "agnes";
 * await using agnes = await createAgnes({ plugins: [] });
 * const { ok, message } = await agnes.connectors.health("crm");
 * const tables = ok ? await agnes.connectors.discover("crm") : [];
 * console.log(message, tables.length);
 * ```
 */
export interface Connectors {
  /**
   * Lists the tables of a source, as it describes them.
   *
   * @throws `capability_missing` if the plugin does not list tables, and the errors of `open`
   */
  discover(source: string, options?: { readonly signal?: AbortSignal }): Promise<readonly TableInfo[]>;
  /**
   * Checks whether a source can be reached, and keeps the result for `sourceHealth`. An unreachable source is a result, not an
   * error.
   *
   * @throws `aborted`, and the errors of `open`, such as `secret_missing`
   */
  health(source: string, options?: { readonly signal?: AbortSignal }): Promise<Health>;
  /**
   * Connects to a source. Close the handle when done.
   *
   * @throws `source_unknown`, `plugin_unknown`, `config_unknown_key`, `config_invalid`, `secret_missing`, `plugin_invalid`,
   *   `plugin_failed`, `timed_out`, `aborted`
   */
  open(source: string, options?: { readonly signal?: AbortSignal }): Promise<SourceHandle>;
}
