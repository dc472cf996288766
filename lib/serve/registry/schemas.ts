import * as v from "valibot";

import { queryModes, tableChange } from "../../tables/mod.ts";
import { errorBody, recordOf } from "../http/schemas.ts";

const text = v.string();
const textOrNull = v.nullable(v.string());
const countOrNull = v.nullable(v.number());

/** The path of the routes of one table. */
export const tablePath = v.strictObject({
  id: v.pipe(
    v.string(),
    v.maxLength(400),
    v.description("Id `source.table` or view name, in any case"),
    v.examples(["shop.refunds"]),
  ),
});

/** The body of a registration. */
export const newTable = v.pipe(
  tableChange,
  v.examples([{ source: "shop", source_table: "refunds", primary_key: ["id"] }]),
);

/** The body of a change. */
export const changedTable = v.pipe(tableChange, v.examples([{ description: "All orders", folder: null }]));

/** The documentation of a table. */
export const docsChange = v.pipe(
  v.pick(tableChange, ["description", "documentation", "column_metadata", "foreign_keys"]),
  v.examples([{ documentation: { grain: "one order" }, column_metadata: { id: { description: "Key" } } }]),
);

const fields = {
  id: v.pipe(text, v.description("`source.name`; never changes")),
  version: v.pipe(v.number(), v.description("The registry's version that last changed it; also its ETag")),
  registered_by: text,
  registered_at: text,
};

/** A registered table with its fields. */
const registeredFields = v.pipe(
  v.looseObject(fields),
  v.description("A registered table with all its fields; see the body of the request that registers one"),
);

/** A registered table: all its fields, and its state. */
export const registeredTable = v.pipe(
  v.looseObject({
    ...fields,
    published: v.boolean(),
    rows: v.pipe(countOrNull, v.description("null: not published, or unknown")),
    size_bytes: countOrNull,
    extracted_at: textOrNull,
    last_sync: v.pipe(textOrNull, v.description("Start of the last successful sync; null: none")),
    last_sync_status: v.pipe(
      textOrNull,
      v.description("As in `GET /api/sync/status`; null: it is not synced, because it is remote"),
    ),
    last_sync_error: v.pipe(
      v.nullable(v.object({ code: text, message: text, hint: text })),
      v.description("The error of the last sync; null: it succeeded, or there was none"),
    ),
    due_at: v.pipe(textOrNull, v.description("When it is due; null: it has no schedule")),
    effective_primary_key: v.pipe(
      v.array(text),
      v.description("`primary_key`, otherwise that of the source"),
    ),
    effective_folder: v.pipe(textOrNull, v.description("`folder`, otherwise that of its bucket; null: none")),
  }),
  v.description("A registered table with all its fields, and its state"),
);

export const registryBody = v.object({
  version: v.pipe(v.number(), v.description("The registry's version; also the ETag")),
  count: v.number(),
  tables: v.array(registeredTable),
});

export const registryQuery = v.strictObject({
  source: v.optional(v.pipe(text, v.maxLength(128), v.description("Only tables of this source"))),
  bucket: v.optional(v.pipe(text, v.maxLength(128), v.description("Only tables of this bucket"))),
  dataset: v.optional(v.pipe(text, v.maxLength(255), v.description("Only tables of this group"))),
  mode: v.optional(v.pipe(v.picklist(queryModes), v.description("Only tables of this mode"))),
  text: v.optional(v.pipe(text, v.maxLength(200), v.description("Part of the id, names or description"))),
});

const flag = v.optional(v.picklist(["true", "false"]), "false");
const dryRun = v.pipe(flag, v.description("Return the result without changing anything"));

/** The query string of a change. */
export const changeQuery = v.strictObject({ dry_run: dryRun });

/** The query string of a change of a table. */
export const writeQuery = v.strictObject({
  dry_run: dryRun,
  check_source: v.pipe(flag, v.description("Compare the table with its source, which is called")),
});

const written = {
  dry_run: v.boolean(),
  table: v.pipe(registeredFields, v.description("The table after the change")),
  updated: v.pipe(v.array(text), v.description("The fields that changed")),
  warnings: v.pipe(
    v.array(text),
    v.description("With `check_source`: what does not fit its source, or why that was not checked"),
  ),
};

/** What an unregistration that is not complete returns. */
export const unregisteredBody = v.object({
  id: text,
  dry_run: v.boolean(),
  failures: v.pipe(v.array(text), v.description("Why parts of its data were not removed")),
});

export const registeredBody = v.object({
  ...written,
  id: text,
  name: v.pipe(text, v.description("The view name")),
  status: v.picklist(["registered", "dry_run"]),
  version: v.number(),
});

export const updatedBody = v.object({
  ...written,
  id: text,
  version: v.number(),
});

export const precheckBody = v.object({
  ok: v.literal(true),
  checked: v.pipe(v.picklist(["source", "registry"]), v.description("source: its tables were listed")),
  table: v.object({
    id: text,
    name: v.pipe(text, v.description("The view name")),
    rows: v.pipe(countOrNull, v.description("Approximate; null: unknown")),
    size_bytes: countOrNull,
    columns: v.nullable(v.array(v.object({ name: text, type: text, nullable: v.boolean() }))),
    primary_key: v.nullable(v.array(text)),
  }),
});

export const sourceQuery = v.strictObject({
  source: v.pipe(text, v.maxLength(128), v.description("A source of agnes.yaml"), v.examples(["shop"])),
});

export const discoverBody = v.object({
  source: text,
  tables: v.array(
    v.object({
      name: v.pipe(text, v.description("The source's own name")),
      description: text,
      columns: v.array(v.object({ name: text, type: text, nullable: v.boolean() })),
      primary_key: v.array(text),
      cursor: textOrNull,
      rows: countOrNull,
      size_bytes: countOrNull,
      problem: v.pipe(textOrNull, v.description("Why it cannot be read; null: it can")),
    }),
  ),
});

export const discoverQuery = v.strictObject({
  source: v.optional(
    v.pipe(
      text,
      // A header of 16 kB has its percent-encoded form.
      v.maxLength(1000),
      v.description("Sources, separated by commas; default: all that list their tables"),
    ),
  ),
  dry_run: flag,
  again: v.pipe(flag, v.description("Also register tables that were unregistered")),
});

export const discoveredBody = v.object({
  dry_run: v.boolean(),
  registered: v.pipe(v.number(), v.description("New tables; with dry_run those that would be registered")),
  skipped: v.pipe(v.number(), v.description("Tables that are registered already, or stay unregistered")),
  errors: v.array(v.object({ source: text, ...errorBody.entries.error.entries })),
  not_listed: v.pipe(
    v.array(v.object({ source: text, register_command: textOrNull })),
    v.description("Without `source`: the sources that cannot list their tables"),
  ),
  drifted: v.number(),
  invalid: v.number(),
  sources: v.array(
    v.looseObject({
      source: text,
      candidates: v.array(v.looseObject({ kind: text, table: text })),
      missing: v.pipe(v.array(text), v.description("Registered tables that the source no longer has")),
    }),
  ),
});

export const historyQuery = v.strictObject({
  id: v.optional(v.pipe(text, v.maxLength(400), v.description("Only changes of this table"))),
  from: v.optional(
    v.pipe(
      text,
      v.regex(/^[1-9]\d{0,14}$/, "it must be a version"),
      v.description("Only changes from this version on"),
    ),
  ),
  limit: v.optional(
    v.pipe(
      text,
      v.regex(/^(?:[1-9]\d{0,2}|1000)$/, "it must be from 1 to 1000"),
      v.description("Maximum number of changes; default: 50"),
    ),
  ),
});

export const historyBody = v.object({
  version: v.number(),
  changes: v.array(
    v.looseObject({
      version: v.number(),
      at: text,
      actor: text,
      kind: v.picklist(["table", "folder"]),
      action: text,
      id: text,
      changed: v.array(text),
    }),
  ),
});

export const foldersBody = v.object({ version: v.number(), folder_mapping: v.record(text, text) });

export const changedFoldersBody = v.object({
  ...foldersBody.entries,
  dry_run: v.boolean(),
  before: v.pipe(v.record(text, textOrNull), v.description("The earlier folders of the buckets; null: none")),
});
/** They are one entry of the log, whose size is limited. */
const FOLDERS_MAX = 200;

export const foldersChange = v.strictObject({
  folder_mapping: v.pipe(
    recordOf(v.pipe(text, v.maxLength(128)), v.nullable(v.pipe(text, v.maxLength(255)))),
    v.maxEntries(FOLDERS_MAX, `it has more than ${FOLDERS_MAX} buckets`),
    v.examples([{ "in.c-crm": "crm", "in.c-web": null }]),
    v.description("Folders by bucket; null removes one, buckets that are missing keep theirs"),
  ),
});

const name = v.object({ name: text, reason: text });

export const rebuildBody = v.object({
  generation: v.number(),
  finished_at: text,
  published: v.array(v.object({ id: text, view_name: textOrNull, access_mode: text })),
  skipped: v.array(name),
  errors: v.array(v.object({ ...name.entries, code: text })),
  conflicts: v.pipe(v.array(v.record(text, v.unknown())), v.description("Tables without their view name")),
});
