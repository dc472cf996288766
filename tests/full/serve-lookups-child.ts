// Run by askLookups(): asks a server for 20 rows until its standard input ends, and prints the times. Arguments: URL, token.
import type { LookupTimes } from "./serve-process.ts";

const [, , url, token] = process.argv;
const PAUSE_MS = 10;

let isStopped = false;
void (async () => {
  for await (const _bytes of process.stdin);
  isStopped = true;
})();

const times: number[] = [];
const wrong: string[] = [];
for (let round = 0; !isStopped; round++) {
  const first = (round * 20) % 19_980;
  const startMs = performance.now();
  try {
    const response = await fetch(`${url}/api/query`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ sql: `SELECT id, label FROM orders WHERE id >= ${first} ORDER BY id LIMIT 20` }),
    });
    const body = await response.text();
    const isRight = body.includes(`[${first},"o${first}"]`) && body.includes('"row_count":20,');
    if (!isRight) wrong.push(`${response.status} ${body.slice(0, 300)}`);
  } catch (error) {
    wrong.push(String(error));
  }
  times.push(performance.now() - startMs);
  await Bun.sleep(PAUSE_MS);
}
const sorted = times.toSorted((a, b) => a - b);
const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)]! * 10) / 10;
const cpu = process.cpuUsage();
const result: LookupTimes = {
  count: times.length,
  p50: at(0.5),
  p99: at(0.99),
  max: at(1),
  wrong: wrong.slice(0, 5),
  cpuMs: (cpu.user + cpu.system) / 1000,
};
process.stdout.write(JSON.stringify(result));
process.exit(0);
