import { definePlugin, int64, table, timestamp, utf8 } from "agnes/kit";
import * as v from "valibot";

const entries = {
  id: int64({ nullable: false }),
  account: utf8({ nullable: false }),
  booked_at: timestamp(),
};
const balances = { account: utf8({ nullable: false }), entries: int64() };

const tableList = v.array(
  v.object({
    id: v.string(),
    kind: v.picklist(["table", "view"]),
    stage: v.string(),
    rows: v.optional(v.number()),
    bytes: v.optional(v.number()),
    columns: v.array(v.object({ name: v.string(), type: v.string(), nullable: v.boolean() })),
    clustered_by: v.array(v.string()),
    changed_at: v.string(),
  }),
);
const rowsPage = v.object({ rows: v.array(v.record(v.string(), v.unknown())), next: v.nullable(v.number()) });

export default definePlugin({
  name: "ledger",
  version: "1.0.0",
  description: "Entries and balances of the ledger",
  capabilities: ["discover", "read", "metadata"],
  options: v.strictObject({ user: v.pipe(v.string(), v.description("Name of a user who may read")) }),
  secrets: { LEDGER_PASSWORD: { description: "password of the user", kind: "basic", required: true } },
  connect({ options: { user }, secrets: { LEDGER_PASSWORD: password }, http }) {
    const api = http.with({ baseUrl: "https://ledger.example.com", basic: { user, password } });
    const list = (signal: AbortSignal) => api.json("/v1/tables", { schema: tableList, signal });
    return {
      discover: async ({ signal }) =>
        (await list(signal)).map(({ id, kind, stage }) =>
          kind === "view"
            ? table(id, balances, { primaryKey: ["account"], sourceMetadata: { stage } })
            : table(id, entries, { primaryKey: ["id"], cursor: "booked_at", sourceMetadata: { stage } }),
        ),

      metadata: async (tables, { signal }) =>
        (await list(signal))
          .filter(({ id }) => tables.some(({ name }) => name === id))
          .map(({ id, kind, rows, bytes, columns, clustered_by, changed_at }) => ({
            name: id,
            entityType: kind,
            ...(rows === undefined ? {} : { rows }),
            ...(bytes === undefined ? {} : { sizeBytes: bytes }),
            columns,
            clusteredBy: clustered_by,
            modifiedAt: new Date(changed_at),
          })),

      async *read({ name }, { cursor, window, signal }) {
        const text = (moment: Date | undefined) => moment?.toISOString().slice(0, 19).replace("T", " ");
        const pages = api.pages(`/v1/tables/${name}/rows`, {
          query: { from: cursor?.value ?? text(window?.from), until: text(window?.to) },
          paging: { kind: "cursor", parameter: "after", cursor: "next" },
          schema: rowsPage,
          signal,
        });
        for await (const { rows } of pages) yield rows;
      },
    };
  },
});
