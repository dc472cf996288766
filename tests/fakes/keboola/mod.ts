/**
 * A fake of Keboola Storage with its clouds, behind `fetch`.
 *
 * Faithful to, by the vendor's blueprint (apiary.apib, "Keboola Storage API") unless another source is named:
 * - the calls in routes.ts, with the fields and types of their answers; recorded responses of the vendor's Python client for
 *   tokens, buckets, tables and jobs (a numeric `owner.id`, a job's `results: null`);
 * - `include` of the lists with its default `metadata`; `columnMetadata` is `[]` when empty; `definition` only in the detail
 *   of tables with native types; `rowsCount: null` for an alias with a filter; dates such as `2026-11-25T10:00:00+0100`;
 * - export → job → file → manifest → slices; parameters as JSON or as PHP's form keys, never JSON inside a form; only `eq`
 *   and `ne` on BigQuery; comparison as text without `dataType`; `TIME_STRING`; the cache of exports;
 * - rows in another order at each export, links of an hour, federation credentials of 12 hours, GCS tokens of one
 *   (blueprint, help pages);
 * - `_timestamp` in whole seconds: a table of strings moves it only with a value, one with types at each import, a truncating
 *   load for all rows (help pages "Difference between tables with native datatypes and string tables", "Incremental Loading");
 * - `absPath`, `gcsPath`, `gs://` and `azure://` entries, the blob `<name>manifest` (the vendor's PHP and Python clients);
 * - imports: `incremental` is false by default and then truncates; `columns[]` means no header;
 * - 503 with Retry-After and a body during maintenance.
 *
 * Assumed: `changedSince` includes its moment and `changedUntil` does not; `/tables` gives 403 to a token for some buckets
 * (reported); a cached export is found by the same token only; which texts errors have; strict refusal of unknown
 * parameters. Left out: workspaces, snapshots, sharing, `format=json`, `orderBy`, creating and dropping by API.
 */
export { fakeKeboola, KEBOOLA_STACK, KEBOOLA_TOKEN } from "./keboola.ts";
export type { FakeKeboola } from "./keboola.ts";
export type {
  FileProvider,
  KeboolaFault,
  KeboolaRequest,
  KeboolaScript,
  KeboolaStep,
  RequestHook,
} from "./script.ts";
export type { BucketOptions, KeboolaBucket, KeboolaStorage } from "./storage.ts";
export type { KeboolaRow, KeboolaTable, PreparedExport, TableOptions } from "./table.ts";
export type { CellValue, TypedColumn } from "./types.ts";
