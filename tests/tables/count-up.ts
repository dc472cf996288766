// A separate process: increments one field of a table, and retries when another process was faster.
import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";

const [directory, id, times] = process.argv.slice(2) as [string, string, string];
const host = createHost();
await using registry = await openTableRegistry({ storage: fileStorage({ directory, host }), host });
for (let done = 0; done < Number(times);) {
  const { incrementalWindowDays: days, version } = (await registry.get(id))!;
  try {
    await registry.update(id, { incrementalWindowDays: (days ?? 0) + 1 }, { expectedVersion: version });
    done += 1;
  } catch (error) {
    if (!isAgnesError(error, "table_version_stale")) throw error;
  }
}
