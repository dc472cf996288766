import { checkChange, newSettings, type TableRecord, type TableSettings } from "./record/mod.ts";
import { metadataOf, type Candidate, type RegistrationPlan } from "./registration.ts";
import { tableRow, type TableRow } from "./stored.ts";

/** The row to write for a new table, or for one with new metadata in its source. */
export interface NewRow {
  readonly row: TableRow;
  readonly candidate: Candidate;
}

/**
 * The rows that a plan writes.
 *
 * @param registered the registered tables on which the plan is based
 */
export function newRows(
  plan: RegistrationPlan,
  registered: readonly TableRecord[],
  newRecord: (settings: TableSettings) => TableRecord,
): readonly NewRow[] {
  const known = new Map(registered.map((record) => [record.id, record]));
  return plan.candidates.flatMap((candidate) => {
    const record = recordOf(candidate, known, newRecord);
    return record === undefined ? [] : [{ row: tableRow(record), candidate }];
  });
}

function recordOf(
  candidate: Candidate,
  known: ReadonlyMap<string, TableRecord>,
  newRecord: (settings: TableSettings) => TableRecord,
): TableRecord | undefined {
  if (candidate.kind === "new")
    return newRecord(newSettings(checkChange(candidate.change, candidate.id), candidate.id));
  const metadata = metadataOf(candidate);
  return metadata === undefined ? undefined : { ...known.get(metadata.id)!, sourceMetadata: metadata.fields };
}
