// Refreshes a workspace over a warehouse whose calls never end, until this process is killed.
import { newWarehouse, openWarehouse, until } from "./warehouse.ts";

const [directory, table] = process.argv.slice(2);
const warehouse = newWarehouse();
warehouse.gate = new Promise(() => {});
const agnes = await openWarehouse(directory!, warehouse);
const work = table === undefined ? agnes.metadata.refresh() : agnes.metadata.refreshTable(table);
work.catch(() => {});
await until(() => warehouse.calls.length > 0);
process.stdout.write("running\n");
await Bun.sleep(600_000);
