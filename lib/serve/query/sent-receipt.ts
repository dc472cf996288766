import { snakeCase } from "../../base/mod.ts";
import type { Receipt } from "../../query/mod.ts";
import { sentStaleReason } from "../http/stale-reason.ts";

/** A receipt as responses have it. */
export function sentReceipt(receipt: Receipt): unknown {
  const extracts = receipt.extracts.map((extract) => ({
    ...extract,
    staleReason: sentStaleReason(extract.staleReason),
  }));
  return snakeCase({ ...receipt, extracts });
}
