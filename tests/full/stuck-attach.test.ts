import { execFile } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "bun:test";

const child = join(import.meta.dirname, "stuck-attach-child.ts");

/** What the child printed with so many threads in its pool; it ends itself, for its attaches never do. */
async function run(poolThreads: number): Promise<Record<string, unknown>> {
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(poolThreads) };
  const output = await new Promise<string>((resolve) => {
    execFile(
      process.execPath,
      [child],
      { env, timeout: 60_000, killSignal: "SIGKILL" },
      (_error, stdout, stderr) => resolve(stdout || stderr),
    );
  });
  return JSON.parse(output) as Record<string, unknown>;
}

test.each([2, 3])(
  "databases that never answer ATTACH leave a thread to other queries, with a pool of %d",
  async (poolThreads) => {
    const { late, stuck, ...rest } = await run(poolThreads);
    const result = '[{"id":1}]';
    expect(rest).toEqual({
      others: Array.from({ length: 6 }, () => result),
      lost: "timed_out",
      isResponsive: true,
    });
    for (const one of stuck as string[]) expect(["timed_out", "remote_unavailable"]).toContain(one);
    const reason =
      "the query cannot run: 2 uninterruptible DuckDB calls occupy the threads of this process; " +
      "1 of them waits for a remote system";
    expect(late).toEqual([reason, reason]);
  },
);
