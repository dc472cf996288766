import * as v from "valibot";

import { recordOf } from "../http/schemas.ts";

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const text = v.string();
const textOrNull = v.nullable(v.string());
const count = v.number();
const countOrNull = v.nullable(v.number());

const tableMode = v.picklist(["all", "explicit"]);

const layoutColumn = v.object({
  name: text,
  type: described(text, "The DuckDB type"),
  nullable: v.boolean(),
});

const part = v.object({
  path: described(text, "For `?part=` of the download"),
  rows: count,
  size_bytes: count,
  sha256: described(text, "Of the file, hexadecimal"),
  layout: described(count, "The version of its layout in `layouts`"),
  format: described(count, "The version of the format of parts"),
  partition: described(textOrNull, "Its partition, such as 2026-01"),
  origin: described(textOrNull, "The origin of its rows, such as a file"),
  key_min: described(textOrNull, "Bounds of the first column of the key, as text; null: unknown"),
  key_max: textOrNull,
  cursor_min: described(textOrNull, "Bounds of the cursor, as text; null: unknown"),
  cursor_max: textOrNull,
});

const manifestTable = v.object({
  view_name: described(textOrNull, "Its name in SQL; null: another table has it, or it is not published"),
  source: text,
  name: text,
  source_type: described(textOrNull, "The plugin of its source"),
  folder: textOrNull,
  description: text,
  primary_key: v.array(text),
  query_mode: described(text, "local, remote or materialized"),
  server_only: v.boolean(),
  generation: described(countOrNull, "A generation of the extract that the parts belong to"),
  hash: described(textOrNull, "SHA-256 of columns, layouts and parts; equal if the rows and columns are"),
  updated: described(textOrNull, "When its rows were last written, UTC; null: unknown"),
  rows: countOrNull,
  size_bytes: countOrNull,
  unavailable: described(
    v.nullable(
      v.object({
        code: described(text, "remote, server_only, not_published, foreign or unreadable"),
        message: text,
      }),
    ),
    "Why there are no parts; null: they can be downloaded",
  ),
  columns: v.array(
    v.object({
      name: text,
      type: described(text, "The DuckDB type"),
      nullable: v.boolean(),
      description: text,
    }),
  ),
  layouts: described(
    v.array(v.object({ version: count, columns: v.array(layoutColumn) })),
    "The columns in the files of the parts",
  ),
  parts: v.array(part),
});

/** The response of `GET /api/sync/manifest`. */
export const manifestBody = v.object({
  version: described(v.literal(1), "The version of this format"),
  table_mode: described(tableMode, "The mode of the subscription of the caller"),
  grace_seconds: described(count, "How long a listed part can at least be downloaded after it was replaced"),
  server_time: described(text, "ISO 8601, UTC"),
  tables: described(v.record(v.string(), manifestTable), "The tables by id"),
});

/** The query string of `GET /api/data/:id/download`. */
export const downloadQuery = v.strictObject({
  part: v.optional(
    v.pipe(v.string(), v.maxLength(500), v.description("A path of the manifest; default: the only part")),
  ),
  generation: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[1-9][0-9]{0,14}$/, "it must be a whole number above 0"),
      v.description("The generation of the manifest; default: any that has the part"),
    ),
  ),
});

const header = (text_: string) => v.pipe(v.string(), v.description(text_));

/** The headers of conditional requests. */
export const ifNoneMatch = {
  "If-None-Match": header("Respond with 304 if the ETag is among these"),
};

/** The headers of downloads. */
export const rangeHeaders = {
  ...ifNoneMatch,
  Range: header("One range of bytes, such as `bytes=0-1023`; several ranges return the whole"),
  "If-Range": header("Send the range only if this is the ETag, otherwise the whole"),
};

const names = <S extends v.GenericSchema>(value: S, description: string) =>
  v.pipe(recordOf(v.pipe(v.string(), v.maxLength(400)), value), v.description(description));
const change = v.nullable(v.boolean());

/** The body of `POST /api/sync/table-subscriptions`. */
export const subscriptionChange = v.strictObject({
  table_mode: v.optional(
    v.pipe(tableMode, v.description("all: all tables; explicit: those that are chosen here")),
  ),
  tables: v.optional(names(change, "By id: true: subscribe; false: never; null: by its group and folder")),
  groups: v.optional(names(change, "By group, which is the field `dataset` of tables; null removes it")),
  folders: v.optional(names(change, "By folder of tables; null removes it")),
});

/** The body of `POST /api/sync/settings`. */
export const settingsChange = v.strictObject({
  table_mode: subscriptionChange.entries.table_mode,
  datasets: v.optional(names(change, "By the field `dataset` of tables; null removes it")),
});

/** The response of `/api/sync/settings`. */
export const settingsBody = v.object({
  table_mode: described(tableMode, "all: the choices have no effect; explicit: they have"),
  datasets: described(v.record(v.string(), v.boolean()), "By dataset"),
});

/** The response of the subscriptions. */
export const subscriptionBody = v.object({
  table_mode: tableMode,
  tables: described(v.record(v.string(), v.boolean()), "By id"),
  groups: described(v.record(v.string(), v.boolean()), "By group"),
  folders: described(v.record(v.string(), v.boolean()), "By folder"),
});
