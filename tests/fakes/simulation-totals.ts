import { expect } from "bun:test";

import type { SimulationReport } from "../../lib/testing/storage-simulation.ts";
import { isReplay } from "../seeds.ts";

/**
 * Checks that everything that may come about in a simulation did in these, each at least so often. One simulation that
 * is replayed is not held to that.
 */
export function expectEverythingCameAbout(reports: readonly SimulationReport[], least: number): void {
  if (isReplay) return;
  const total = (count: (report: SimulationReport) => number) =>
    reports.reduce((sum, report) => sum + count(report), 0);
  const totals = {
    "fails before": total(({ faults }) => faults["fails before"]),
    "fails after": total(({ faults }) => faults["fails after"]),
    "never answers": total(({ faults }) => faults["never answers"]),
    "answers late": total(({ faults }) => faults["answers late"]),
    stopped: total(({ stopped }) => stopped),
    reopened: total(({ reopened }) => reopened),
    acknowledged: total(({ writes }) => writes.acknowledged),
    refused: total(({ writes }) => writes.refused),
  };
  expect(Object.entries(totals).filter(([, count]) => count < least)).toEqual([]);
}
