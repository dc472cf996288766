import { checkChange, newSettings, type TableRecord, type TableSettings } from "./record/mod.ts";
import { metadataOf, type Candidate, type RegistrationPlan } from "./registration.ts";
import { tableRow, type TableRow } from "./stored.ts";

/** A table of a plan that is new or of which the source notes something new, as it is written. */
export interface NewRow {
  readonly row: TableRow;
  readonly candidate: Candidate;
}

/**
 * The rows that a plan writes.
 *
 * @param registered the tables that the plan was made with
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
  return metadata === undefined
    ? undefined
    : { ...known.get(metadata.id)!, source_metadata: metadata.fields };
}
