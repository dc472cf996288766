// Runs as a separate process: writes concurrently to catalogs, until it is killed or a number of times each, and prints
// each acknowledgement.
import { fileStorage, openCatalog } from "agnes/catalog";

const [name, count, ...directories] = process.argv.slice(2) as [string, string, ...string[]];

await Promise.all(directories.map((directory, at) => write(directory, at)));

async function write(directory: string, place: number): Promise<void> {
  const catalog = await openCatalog<{ id: string; group: string; n: number }>({
    storage: fileStorage({ directory }),
    name: "killed",
    rowKey: "id",
    indexKeys: ["group", "n"],
    actor: name,
  });
  for (let at = 0; at < Number(count); at++) {
    // Some writes replace, most add, and a few are large, so that segments and snapshots are written.
    const id = at % 5 === 0 ? `${name}-0` : `${name}-${at}`;
    const record = { id, group: `g${at % 3}`, n: at };
    const actor = `${name}:${at}`;
    const sequence =
      at % 10 === 9
        ? (await catalog.insertMany(many(at, record), { actor })).sequence
        : (await catalog.insert(record, { actor })).version;
    process.stdout.write(`${place} ${actor} ${sequence}\n`);
  }
  await catalog.close();
}

function many(
  at: number,
  record: { id: string; group: string; n: number },
): { id: string; group: string; n: number }[] {
  return [record, ...Array.from({ length: 30 }, (_, n) => ({ id: `shared-${n}`, group: name, n: at }))];
}
