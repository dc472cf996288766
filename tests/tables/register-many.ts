// A process of its own: registers `count` tables of one source in the registry of a folder.
import { createHost } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";

const [directory, source, count] = process.argv.slice(2) as [string, string, string];
const host = createHost();
await using registry = await openTableRegistry({
  storage: fileStorage({ directory, host }),
  host,
  actor: source,
});
for (let index = 0; index < Number(count); index += 1) {
  await registry.register({ source, sourceTable: `t${index}`, viewName: `${source}_t${index}` });
}
