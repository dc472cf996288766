import assert from "node:assert/strict";

import { counted } from "../../base/mod.ts";
import type { SourceJob } from "../../kit/mod.ts";
import { JobList, resultBatches } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { able } from "./session.ts";

/** Cases about the jobs that a connector reports. */
export const jobCases: readonly SourceCase[] = [
  {
    name: "query() reports the end of all its jobs before its last row",
    needs: ["query"],
    async run(session) {
      const { signal, config } = session;
      const jobs = new JobList();
      const sql = config.query ?? "SELECT 1 AS one";
      const result = await able(session, "query").query(sql, { signal, onJob: jobs.onJob });
      for await (const _ of resultBatches(result, { signal }));
      return checkEnded(jobs.all, "query()");
    },
  },
  {
    name: "read() reports the end of all its jobs when it ends, also if it is stopped",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      const { signal } = session;
      const [table] = await session.readTables();
      if (table === undefined) return "there is no table to read";
      const jobs = new JobList();
      const read = able(session, "read").read(table, { batchRows: 1, limit: 1, signal, onJob: jobs.onJob });
      // The table may be large, and its connector may ignore the limit.
      for await (const _ of read) break;
      return checkEnded(jobs.all, "read()");
    },
  },
];

/** Returns a note with the number of jobs, if there are any. */
function checkEnded(jobs: readonly SourceJob[], method: string): string | undefined {
  const running = jobs.filter(({ status }) => status === "running").map(({ id }) => id);
  assert.deepEqual(running, [], `${method} ended, and does not report the end of these jobs`);
  return jobs.length === 0 ? undefined : `${counted(jobs.length, "job")} reported`;
}
