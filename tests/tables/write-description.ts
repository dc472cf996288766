// A process of its own: writes the data description of a registry that is always the same.
import { fileStorage, memoryStorage } from "../../lib/catalog/mod.ts";
import { renderDataDescription } from "../../lib/tables/projections/data-description.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { memoryRegistry, stillHost } from "./registry-setup.ts";

const [order, directory] = process.argv.slice(2);
const storage = directory === undefined ? memoryStorage() : fileStorage({ directory, host: stillHost() });
await using registry = await memoryRegistry(storage);
const steps = [
  () =>
    registry.register({
      source: "crm",
      sourceTable: "in.c-crm.orders",
      viewName: "sales",
      description: "One order a row:\n```sql\nselect 1\n```\n~~~",
      primaryKey: ["id", "řádek"],
      syncStrategy: "incremental",
      incrementalWindowDays: 7,
      documentation: { history: "since 2020\u2028or so", grain: "yes" },
      foreignKeys: [{ column: "person", references: "people.id" }],
    }),
  () => registry.register({ source: "CRM", sourceTable: "ITEMS", maxHistoryDays: 7 }),
  () =>
    registry.register({
      source: "exports",
      sourceTable: "days",
      whereFilters: [{ column: "day", operator: "ge", values: ["{{last_week}}", 1.5, true, "12:30"] }],
    }),
  () => registry.setFolder("in.c-crm", "crm"),
  () => registry.setFolder("10", "ten"),
  () => registry.setFolder("İstanbul".normalize("NFKD").replace(/[^a-z]/gi, "_"), "city"),
];
for (const step of order === "backwards" ? steps.toReversed() : steps) await step();
process.stdout.write(renderDataDescription(await snapshotOf(registry)));
