import { randomUUID } from "node:crypto";

import { processExists, processSpace } from "../../base/mod.ts";

/** The process whose memory has a session: the session ends with it. */
export interface SessionHolder {
  /** See `processSpace`. */
  readonly space: string;
  readonly pid: number;
  /** Random, because a later process may have the same id. */
  readonly run: string;
}

const RUN = randomUUID();

/** This process. */
export function ownHolder(): SessionHolder {
  return { space: processSpace(), pid: process.pid, run: RUN };
}

/** Whether a process has ended. False if that is not known: it runs on another machine, or another one has its id now. */
export function hasEnded({ space, pid, run }: SessionHolder): boolean {
  const own = ownHolder();
  if (space !== own.space) return false;
  return pid === own.pid ? run !== own.run : !processExists(pid);
}
