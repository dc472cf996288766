import {
  storedName,
  tableDefaults,
  tableFieldNames,
  toStoredFields,
  type RegisteredTable,
} from "../../../lib/tables/mod.ts";
import { command } from "../../cli/command.ts";
import { checkTableName } from "../../cli/table-name.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "Id or view name of a table",
    },
    all: { type: "boolean", description: "Also show fields that have their default" },
  },
  examples: ["agnes table show crm.orders", "agnes table show orders --all"],
  async run(cli, args) {
    checkTableName(cli, args.table);
    await using registry = await openRegistry(cli, args.server);
    const { table, folder, key, extractedAt, checkedAt, ...sync } = await registry.show(args.table);
    const stored = toStoredFields(table);
    if (cli.json)
      return await cli.printJson({
        table: stored,
        published: sync.isPublished,
        effective_primary_key: key,
        effective_folder: folder,
        extracted_at: extractedAt,
        last_sync: checkedAt,
        last_sync_status: sync.status,
        last_sync_error: sync.syncError,
        due_at: sync.dueAt,
      });
    await cli.print(`${cli.style("bold", table.id)} · version ${table.version}\n\n`);
    const fields = tableFieldNames.filter((field) => args.all === true || isListed(table, field));
    await printRows(
      cli,
      ["field", textColumn("value")],
      [
        ...fields.map((field) => [storedName(field), cellOf(stored[storedName(field)])] as const),
        ...(key.length === table.primaryKey.length
          ? []
          : [["primary key of the source", key.join(", ")] as const]),
        ...(folder === null || folder === table.folder ? [] : [["folder of its bucket", folder] as const]),
        ["registered_by", table.registeredBy],
        ["registered_at", table.registeredAt],
        ["extracted_at", extractedAt ?? "never"],
        ["checked_at", checkedAt ?? "never"],
        ...(sync.status === null ? [] : [["status", sync.status] as const]),
        ...(sync.dueAt === null ? [] : [["due_at", sync.dueAt] as const]),
        ...(sync.syncError === null ? [] : [["error of the last sync", sync.syncError.message] as const]),
      ],
    );
    const unread = Object.keys(table.unread ?? {});
    if (unread.length > 0)
      cli.warn(`this version does not read ${unread.join(", ")}; the registry keeps their values`);
  },
});

function isListed(table: RegisteredTable, field: keyof typeof tableDefaults | "source" | "name"): boolean {
  if (field === "source" || field === "name") return true;
  if (field === "queryMode" || field === "syncStrategy") return true;
  return JSON.stringify(table[field]) !== JSON.stringify(tableDefaults[field]);
}

function cellOf(value: unknown): string {
  if (value === null) return "";
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
