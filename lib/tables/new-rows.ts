import { checkChange, newSettings, type TableRecord, type TableSettings } from "./record/mod.ts";
import type { Candidate, RegistrationPlan } from "./registration.ts";
import { tableRow, type TableRow } from "./stored.ts";

/** A new table of a plan, as it is written. */
export interface NewRow {
  readonly row: TableRow;
  readonly candidate: Candidate;
}

/** The rows of the new tables of a plan. */
export function newRows(
  plan: RegistrationPlan,
  newRecord: (settings: TableSettings) => TableRecord,
): readonly NewRow[] {
  return plan.candidates.flatMap((candidate) =>
    candidate.kind === "new"
      ? [
          {
            row: tableRow(newRecord(newSettings(checkChange(candidate.change, candidate.id), candidate.id))),
            candidate,
          },
        ]
      : [],
  );
}
