import { checkChange, newSettings, type TableRecord, type TableSettings } from "./record/mod.ts";
import type { Candidate, RegistrationPlan } from "./registration.ts";
import { tableRow, type TableRow } from "./stored.ts";

/** The first of a plan's new tables, as many as go into one entry of the log. */
export interface NewRows {
  readonly rows: readonly TableRow[];
  readonly candidates: readonly Candidate[];
  /** Whether no further new tables are left. */
  readonly isLast: boolean;
}

/** What one entry may hold; storages in tables of a cloud take less than half a megabyte. */
const ENTRY_BYTES = 200_000;

/** The first new tables of a plan. Tables need not be registered together, so a large source is no large entry. */
export function newRows(
  plan: RegistrationPlan,
  newRecord: (settings: TableSettings) => TableRecord,
): NewRows {
  const rows: TableRow[] = [];
  const candidates: Candidate[] = [];
  let sizeBytes = 0;
  for (const candidate of plan.candidates) {
    if (candidate.kind !== "new") continue;
    const row = tableRow(newRecord(newSettings(checkChange(candidate.change, candidate.id), candidate.id)));
    sizeBytes += Buffer.byteLength(JSON.stringify(row));
    if (rows.length > 0 && sizeBytes > ENTRY_BYTES) return { rows, candidates, isLast: false };
    rows.push(row);
    candidates.push(candidate);
  }
  return { rows, candidates, isLast: true };
}
