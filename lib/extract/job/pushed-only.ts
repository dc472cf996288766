import type { AnyConnector } from "../../kit/mod.ts";
import type { TablePlan } from "./plan.ts";

/** Whether the rows of a table come from pushed events alone, because its connector cannot read it. */
export function isPushedOnly(
  { read, stream }: Pick<AnyConnector, "read" | "stream">,
  { mode, info }: Pick<TablePlan, "mode" | "info">,
): boolean {
  const canRead = read !== undefined && info.capabilities?.includes("read") !== false;
  return mode === "local" && stream !== undefined && !canRead;
}
