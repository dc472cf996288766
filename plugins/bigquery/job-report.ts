import type { SourceJob } from "agnes/kit";

import { priceOf } from "./estimate.ts";
import type { Job } from "./schemas.ts";
import type { Settings } from "./settings.ts";

/** What BigQuery reports of an ended job. A row access policy hides its bytes. */
export function jobReport(
  id: string,
  { status, statistics }: Job,
  settings: Pick<Settings, "price">,
): SourceJob {
  const { query, totalSlotMs: slotMs, rowLevelSecurityStatistics: rowLevelSecurity } = statistics;
  const isHidden = rowLevelSecurity?.rowLevelSecurityApplied === true;
  const processedBytes = isHidden
    ? undefined
    : (query?.totalBytesProcessed ?? statistics.totalBytesProcessed);
  const billedBytes = isHidden ? undefined : query?.totalBytesBilled;
  const price = billedBytes === undefined ? undefined : priceOf(billedBytes, settings);
  return {
    id,
    status: status.errorResult === undefined ? "done" : "failed",
    ...(processedBytes === undefined ? {} : { processedBytes }),
    ...(billedBytes === undefined ? {} : { billedBytes }),
    ...(query?.cacheHit === undefined ? {} : { isCached: query.cacheHit }),
    ...(slotMs === undefined ? {} : { slotMs }),
    ...(price === undefined ? {} : { price }),
  };
}
