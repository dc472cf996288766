import { AgnesError, type ErrorDetails } from "../../base/mod.ts";

type Rejection = ErrorDetails<"validator_rejected">;

/** The error of a part of a scan that is not allowed. It never repeats the part. */
export function rejected(
  part: Rejection["part"],
  kind: Rejection["kind"],
  position: number | null = null,
): AgnesError<"validator_rejected"> {
  return new AgnesError("validator_rejected", { part, kind, ...(position !== null && { position }) });
}
