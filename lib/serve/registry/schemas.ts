import * as v from "valibot";

import { tableChange } from "../../tables/mod.ts";

export { tableChange };

const text = v.string();
const textOrNull = v.nullable(v.string());
const countOrNull = v.nullable(v.number());

/** The path of the routes of one table. */
export const tablePath = v.strictObject({
  id: v.pipe(v.string(), v.maxLength(400), v.description("Id `source.table` or view name, in any case")),
});

/** The documentation of a table. */
export const docsChange = v.pick(tableChange, [
  "description",
  "documentation",
  "column_metadata",
  "foreign_keys",
]);

/** A registered table: all its fields, and its state. */
export const registeredTable = v.pipe(
  v.looseObject({
    id: v.pipe(text, v.description("`source.name`; never changes")),
    version: v.pipe(v.number(), v.description("The registry's version that last changed it; also its ETag")),
    registered_by: text,
    registered_at: text,
  }),
  v.description("A registered table with all its fields; see the body of the request that registers one"),
);

export const registryBody = v.object({
  version: v.pipe(v.number(), v.description("The registry's version; also the ETag")),
  count: v.number(),
  tables: v.array(
    v.looseObject({
      ...registeredTable.entries,
      rows: v.pipe(countOrNull, v.description("null: not published, or unknown")),
      size_bytes: countOrNull,
      extracted_at: textOrNull,
      last_sync: v.pipe(textOrNull, v.description("Start of the last successful sync; null: none")),
    }),
  ),
});

export const registryQuery = v.strictObject({
  source: v.optional(v.pipe(text, v.maxLength(128), v.description("Only tables of this source"))),
  text: v.optional(v.pipe(text, v.maxLength(200), v.description("Part of the id, names or description"))),
});

export const registeredBody = v.object({
  id: text,
  name: v.pipe(text, v.description("The view name")),
  status: v.literal("registered"),
  version: v.number(),
});

export const updatedBody = v.object({
  id: text,
  updated: v.pipe(v.array(text), v.description("The fields that changed")),
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
  source: v.pipe(text, v.maxLength(128), v.description("A source of agnes.yaml")),
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

const flag = v.optional(v.picklist(["true", "false"]), "false");

export const discoverQuery = v.strictObject({
  source: v.optional(v.pipe(text, v.maxLength(128), v.description("Default: all that list their tables"))),
  dry_run: flag,
  again: v.pipe(flag, v.description("Also register tables that were unregistered")),
});

export const discoveredBody = v.object({
  dry_run: v.boolean(),
  registered: v.pipe(v.number(), v.description("New tables; with dry_run those that would be registered")),
  skipped: v.pipe(v.number(), v.description("Tables that are registered already, or stay unregistered")),
  errors: v.array(v.object({ source: text, code: text, message: text })),
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

export const foldersChange = v.strictObject({
  folder_mapping: v.pipe(
    v.record(v.pipe(text, v.maxLength(128)), v.nullable(v.pipe(text, v.maxLength(255)))),
    v.check((folders) => Object.keys(folders).length <= 1000, "it has more than 1000 buckets"),
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
