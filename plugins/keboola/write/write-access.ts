import type { AgnesError } from "agnes/kit";

import { errors } from "../errors.ts";
import type { Settings } from "../options.ts";
import type { StorageTable } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import { bucketOf } from "../tables/table-id.ts";
import { isReadOnly } from "../api/token.ts";

/**
 * Returns a table that is to be written, of the branch of the options; null if the project does not have it.
 * @throws `keboola/write_off`, `keboola/write_denied`, `keboola/branch_missing`, and `keboola/write_refused` for a table that
 * the branch does not have
 */
export async function tableToWrite(
  source: Source,
  id: string,
  signal: AbortSignal,
): Promise<StorageTable | null> {
  const { settings, api, tables } = source;
  if (!settings.write) throw errors.write_off({ table: id });
  const bucket = bucketOf(id);
  if (isReadOnly(await source.token.get(signal), bucket)) {
    const reason = `its permission for the bucket ${bucket} is \`read\``;
    throw errors.write_denied({ variable: api.tokenVariable, table: id, reason });
  }
  // Not from the default branch: writing to production is never a fallback.
  const table = await tables.getFrom(id, settings.branch, signal);
  if (table !== null || settings.branch === undefined) return table;
  await tables.branch.name(signal);
  throw missingTable(settings, id);
}

/** The error of a table that does not exist where it is to be written. */
export function missingTable(
  { branch }: Pick<Settings, "branch">,
  table: string,
  cause?: unknown,
): AgnesError {
  const options = cause === undefined ? {} : { cause };
  if (branch === undefined) return errors.table_missing({ table }, options);
  const reason = `branch ${branch} does not have it, and writing never falls back to the default branch`;
  const advice =
    "Create the table in the branch in Keboola, or remove `branch` from the options of the source to write to the default branch.";
  return errors.write_refused({ table, reason, advice }, options);
}
