import { cursorDate, decimal, definePlugin, int64, permanent, table, timestamp, utf8 } from "agnes/kit";
import * as v from "valibot";

const orders = table(
  "orders",
  {
    id: int64({ nullable: false }),
    customer: utf8(),
    amount: decimal(12, 2),
    updated_at: timestamp({ nullable: false }),
  },
  { primaryKey: ["id"], cursor: "updated_at", description: "Orders of the shop" },
);

const jobResponse = v.object({
  id: v.number(),
  status: v.picklist(["waiting", "running", "done", "failed"]),
  export: v.optional(v.string()),
  rows: v.optional(v.number()),
  error: v.optional(v.string()),
});
const sliceList = v.object({
  slices: v.array(v.object({ url: v.string(), sizeBytes: v.number(), md5: v.string() })),
});

export default definePlugin({
  name: "warehouse",
  version: "1.0.0",
  description: "Tables of the warehouse, by its asynchronous exports",
  capabilities: ["discover", "read"],
  options: v.strictObject({
    url: v.optional(
      v.pipe(v.string(), v.url(), v.description("Base URL of the API")),
      "https://warehouse.example.com",
    ),
  }),
  secrets: { WAREHOUSE_TOKEN: { description: "API token with the right to export", required: true } },
  connect({ options, secrets, http }) {
    const api = http.with({ baseUrl: options.url, bearer: secrets.WAREHOUSE_TOKEN });
    return {
      discover: async () => [orders],

      async *read({ name }, { cursor, directory, onProgress, signal }) {
        const job = await api.json(`/v1/tables/${encodeURIComponent(name)}/export`, {
          json: { format: "csv", changedSince: cursor && cursorDate(cursor).toISOString() },
          idempotent: true, // a second export is harmless, so the request may be retried
          schema: jobResponse,
          signal,
        });
        const { export: id, rows: totalRows } = await api.poll(`/v1/jobs/${job.id}`, {
          schema: jobResponse,
          isDone({ status, error = "no reason" }) {
            if (status === "failed") throw permanent(`the export of ${name} failed: ${error}`);
            return status === "done";
          },
          cancel: ({ signal }) => api.request(`/v1/jobs/${job.id}`, { method: "DELETE", signal }),
          phaseOf: () => "exporting",
          onProgress,
          signal,
        });
        if (totalRows !== undefined) onProgress?.({ totalRows });
        const list = async () => (await api.json(`/v1/exports/${id}`, { schema: sliceList, signal })).slices;
        const files = (await list()).map(({ url, sizeBytes, md5 }, place) => ({
          // The links expire; a rejected one is replaced by a new one.
          url: async ({ rejected }: { rejected: boolean }) => (rejected ? (await list())[place]!.url : url),
          key: `${id}/${place}`,
          sizeBytes,
          checksum: { algorithm: "md5", value: md5 } as const,
        }));
        yield* api.download(files, { format: "csv", directory, onProgress, signal });
      },
    };
  },
});
