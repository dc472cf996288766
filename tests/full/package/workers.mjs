// Run by package.test.ts: queries in worker processes, then a long one; arguments: a folder, and how it ends.
import { createAgnes } from "agnes";

const agnes = await createAgnes({
  plugins: [],
  workspace: process.argv[2],
  config: { version: 1 },
  isolation: "process",
  workers: { count: 2 },
});
const rows = await agnes.rows("SELECT range AS n FROM range(3)", { principal: "ann" });
if (process.argv[3] === "idle") {
  await agnes.close();
  process.stdout.write("closed\n");
  process.exit();
}
const failed = await agnes.rows("SELECT foo").catch(({ code }) => code);
const long = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b";
const stopped = agnes.rows(long).catch(({ code }) => code);
await new Promise((resolve) => setTimeout(resolve, 1500));
if (process.argv[3] === "close") {
  await agnes.close();
  process.stdout.write(JSON.stringify({ rows, failed, stopped: await stopped }));
} else {
  process.stdout.write("running\n");
}
