import { AgnesError, nameHoldsSecret } from "../base/mod.ts";
import type { PublishedTable } from "./format/extract-state.ts";
import type { ExtractSource } from "./job/services.ts";

/**
 * Checks that no secret is published in a column name or in the connector's state.
 *
 * @throws `table_read_failed`
 */
export function checkSecrets(
  { name, columns, state }: PublishedTable,
  { name: source, secrets = [] }: ExtractSource,
): void {
  const refuse = (what: string): never => {
    const reason = `${what} contains the value of a secret`;
    throw new AgnesError("table_read_failed", { source, table: name, reason });
  };
  if (columns.some((column) => nameHoldsSecret(column.name, secrets))) refuse("the name of a column");
  if (state !== undefined && nameHoldsSecret(JSON.stringify(state), secrets))
    refuse("the state that the read returned");
}
