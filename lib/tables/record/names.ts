import { AgnesError, toExposedName } from "../../base/mod.ts";

/** Splits a source's own name of a table: `in.c-crm.orders` is the table `orders` in the bucket `in.c-crm`. */
export function splitSourceTable(sourceTable: string): {
  readonly bucket: string | null;
  readonly table: string;
} {
  const dot = sourceTable.lastIndexOf(".");
  return dot <= 0 || dot === sourceTable.length - 1
    ? { bucket: null, table: sourceTable }
    : { bucket: sourceTable.slice(0, dot), table: sourceTable.slice(dot + 1) };
}

/** The default name of a table: the exposed form of the last part of the source's own name. */
export function defaultName(sourceTable: string): string {
  return toExposedName(splitSourceTable(sourceTable).table);
}

/**
 * Removes a repeated bucket prefix from the source's own name of a table.
 * @throws `table_contradiction` if the name is in another bucket
 */
export function withoutDoubledBucket(id: string, bucket: string | null, sourceTable: string): string {
  if (bucket === null || !sourceTable.includes(".")) return sourceTable;
  const prefix = `${bucket}.`;
  let name = sourceTable;
  while (name.startsWith(prefix + prefix)) name = name.slice(prefix.length);
  const own = splitSourceTable(name).bucket;
  // `dataset` and `project.dataset` may be the same bucket.
  if (own === bucket || own?.endsWith(`.${bucket}`) || bucket.endsWith(`.${own}`)) return name;
  throw new AgnesError("table_contradiction", {
    id,
    fields: ["bucket", "source_table"],
    reason: `the table's own name begins with another bucket (${splitSourceTable(name).bucket})`,
    instead: "Omit bucket, or set it to the bucket of the table.",
  });
}

/** The names a source may use for the table of a record: its own name, with and without the bucket. */
export function sourceTableNames(record: {
  readonly sourceTable: string | null;
  readonly bucket: string | null;
}): readonly string[] {
  const { sourceTable: name, bucket } = record;
  if (name === null) return [];
  return bucket === null ? [name] : [name, `${bucket}.${name}`];
}

/** The id of a table: the source and the name of the table in it. */
export function tableId(source: string, name: string): string {
  return `${source}.${name}`;
}

/** Whether a text is valid as a vendor's name, which is always quoted. It may contain inner spaces. */
export function isVendorName(text: string): boolean {
  return VENDOR_NAME.test(text) && text === text.normalize("NFC");
}

const VENDOR_NAME = /^[\p{Script=Latin}0-9_](?:[\p{Script=Latin}0-9_.-]| (?!$)){0,127}$/u;
