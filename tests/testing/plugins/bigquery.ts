import { bool, decimal, definePlugin, float64, int64, permanent, table, toSchema, utf8 } from "agnes/kit";
import { isQueryArray, toSelectSql, type QueryParameter, type SourceQueryOptions } from "agnes/kit";
import * as v from "valibot";

const PAGE_ROWS = 5_000;
const [STRING, INTEGER, NUMERIC] = [utf8(), int64(), decimal(38, 9)];
const types = { STRING, INTEGER, NUMERIC, FLOAT: float64(), BOOLEAN: bool() };
const columns = { id: INTEGER, customer: STRING, amount: NUMERIC };
const orders = table("orders", columns, { remotePath: ["shop", "orders"] });

const type = v.picklist(Object.keys(types) as (keyof typeof types)[]);
const mode = v.optional(v.picklist(["NULLABLE", "REQUIRED"]));
const schema = v.object({
  jobComplete: v.boolean(),
  jobReference: v.object({ jobId: v.optional(v.string()), location: v.optional(v.string()) }),
  schema: v.optional(v.object({ fields: v.array(v.object({ name: v.string(), type, mode })) })),
  totalBytesProcessed: v.optional(v.string()),
  totalRows: v.optional(v.string()),
  rows: v.optional(v.array(v.object({ f: v.array(v.object({ v: v.nullable(v.string()) })) })), []),
});
const names = { string: "STRING", boolean: "BOOL", bigint: "INT64", number: "FLOAT64", object: "TIMESTAMP" };
function toParameter([name, value]: [string, QueryParameter]) {
  if (isQueryArray(value)) throw permanent(`the parameter ${name} is an array, which is not supported`);
  const type = Number.isInteger(value) ? "INT64" : names[typeof (value ?? "") as keyof typeof names];
  const text = value instanceof Date ? value.toISOString() : value?.toString();
  return { name, parameterType: { type }, parameterValue: { value: text } };
}

export default definePlugin({
  name: "bigquery",
  version: "1.0.0",
  description: "Tables of BigQuery, by SQL",
  capabilities: ["discover", "query"],
  options: v.strictObject({ project: v.string(), usdPerTebibyte: v.optional(v.number(), 6.25) }),
  secrets: { BIGQUERY_TOKEN: { description: "OAuth access token", kind: "oauth", required: true } },
  connect({ options: { project, usdPerTebibyte }, secrets, http }) {
    const baseUrl = `https://bigquery.googleapis.com/bigquery/v2/projects/${project}`;
    const api = http.with({ baseUrl, bearer: secrets.BIGQUERY_TOKEN });
    const submit = (query: string, { parameters = {}, signal }: SourceQueryOptions, more: object) => {
      const queryParameters = Object.entries(parameters).map(toParameter);
      const json = { query, useLegacySql: false, parameterMode: "NAMED", queryParameters, ...more };
      return api.json("/queries", { json, idempotent: true, schema, signal });
    };
    return {
      discover: async () => [orders],
      selectSql: ({ remotePath }, request) => toSelectSql(remotePath!, request, "bigquery"),
      async estimate(sql, options) {
        const scannedBytes = Number((await submit(sql, options, { dryRun: true })).totalBytesProcessed);
        const amount = (scannedBytes / 2 ** 40) * usdPerTebibyte;
        return { scannedBytes, price: { amount, currency: "USD" } };
      },
      async query(sql, options) {
        const { maxScannedBytes, timeoutMs = 600_000 } = options.limits ?? {};
        const more = { requestId: crypto.randomUUID(), maximumBytesBilled: maxScannedBytes?.toString() };
        const { jobId, location } = (await submit(sql, options, more)).jobReference;
        const job = api.with({ query: { location } });
        const result = await job.poll(`/queries/${jobId}?maxResults=0`, {
          schema,
          isDone: ({ jobComplete }) => jobComplete,
          cancel: ({ signal }) => job.request(`/jobs/${jobId}/cancel`, { method: "POST", signal }),
          timeoutMs,
          signal: options.signal,
        });
        const [fields, rows] = [result.schema!.fields, Number(result.totalRows)];
        const toPart = (startIndex: number) =>
          async function* ({ signal }: { signal: AbortSignal }) {
            const query = { startIndex, maxResults: PAGE_ROWS };
            const page = (await job.json(`/queries/${jobId}`, { query, schema, signal })).rows;
            if (page.length < Math.min(PAGE_ROWS, rows - startIndex)) throw permanent("lower PAGE_ROWS");
            yield page.map(({ f }) => Object.fromEntries(f.map(({ v }, at) => [fields[at]!.name, v])));
          };
        const starts = Array.from({ length: Math.ceil(rows / PAGE_ROWS) }, (_, at) => at * PAGE_ROWS);
        const columns = Object.fromEntries(fields.map(({ name, type }) => [name, types[type]]));
        return { schema: toSchema(columns), parts: starts.map(toPart) };
      },
    };
  },
});
