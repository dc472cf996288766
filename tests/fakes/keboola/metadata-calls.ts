import { findTable, parametersOf, tableOf, type ApiCall } from "./api.ts";
import { ApiError, invalid } from "./errors.ts";
import type { NewMetadata } from "./metadata.ts";
import { checkNames, textOf, type Parameters } from "./parameters.ts";
import type { KeboolaTable } from "./table.ts";

export function setTableMetadata(call: ApiCall): Response {
  const table = tableOf(call, "write");
  const asked = parametersOf(call);
  // The deprecated call takes a form, and metadata of the table alone.
  const isForm = call.headers.get("content-type")?.startsWith("application/json") !== true;
  checkNames(asked, ["provider", "metadata", ...(isForm ? [] : ["columnsMetadata"])]);
  const provider = providerOf(asked);
  const { metadata, columnsMetadata } = asked as { metadata?: unknown; columnsMetadata?: unknown };
  if (metadata === undefined && columnsMetadata === undefined)
    throw invalid("metadata: At least one of metadata and columnsMetadata is required.");
  const added = entriesOf(metadata, provider);
  const groups = Object.entries(groupsOf(columnsMetadata)).map(([index, entries]) => {
    const name = entries[0]?.columnName ?? index;
    checkColumn(table, name);
    return [name, entriesOf(entries, provider)] as const;
  });
  const own = table.setMetadata(added);
  if (isForm) return Response.json(own, { status: 201 });
  const columns = Object.fromEntries(
    groups.map(([name, entries]) => [name, table.setColumnMetadata(name, entries)]),
  );
  return Response.json({ metadata: own, columnsMetadata: columns }, { status: 201 });
}

export function columnMetadata(call: ApiCall): Response {
  const { table, column } = columnOf(call);
  return Response.json(table.columnMetadata.get(column) ?? []);
}

export function setColumnMetadata(call: ApiCall): Response {
  const { table, column } = columnOf(call, "write");
  const asked = parametersOf(call);
  checkNames(asked, ["provider", "metadata"]);
  const entries = entriesOf(asked["metadata"], providerOf(asked));
  return Response.json(table.setColumnMetadata(column, entries), { status: 201 });
}

export function removeColumnMetadata(call: ApiCall): Response {
  const { table, column } = columnOf(call, "write");
  if (!table.removeColumnMetadata(column, call.parts[1]!))
    throw new ApiError(404, "storage.metadata.notFound", `Metadata with id ${call.parts[1]} not found`);
  return new Response(null, { status: 204 });
}

/** The id of a column is that of its table, a dot and its name. */
function columnOf({ token, storage, parts }: ApiCall, need: "read" | "write" = "read") {
  const id = parts[0]!;
  const at = id.split(".").slice(0, 3).join(".").length;
  const [tableId, column] = [id.slice(0, at), id.slice(at + 1)];
  const table = findTable(storage, token, tableId, need);
  checkColumn(table, column);
  return { table, column };
}

function checkColumn(table: KeboolaTable, column: string): void {
  if (!table.columns.includes(column))
    throw new ApiError(
      404,
      "storage.columns.notFound",
      `Column "${column}" not found in table "${table.id}"`,
    );
}

function providerOf(asked: Parameters): string {
  const provider = textOf(asked, "provider");
  if (provider === undefined) throw invalid("provider: This value should not be blank.");
  return provider;
}

/** A map by column, or by number, of which PHP does not distinguish a list. */
function groupsOf(value: unknown): Readonly<Record<string, readonly { readonly columnName?: string }[]>> {
  if (value === undefined) return {};
  const isMap = typeof value === "object" && value !== null;
  if (!isMap || !Object.values(value).every((entries) => Array.isArray(entries)))
    throw invalid("columnsMetadata: This value should be of type array.");
  return value as Readonly<Record<string, readonly { readonly columnName?: string }[]>>;
}

function entriesOf(value: unknown, provider: string): readonly NewMetadata[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid("metadata: This value should be of type array.");
  return value.map((one: { readonly key?: unknown; readonly value?: unknown }) => {
    if (typeof one.key !== "string" || typeof one.value !== "string")
      throw invalid("metadata: key and value should be of type string.");
    return { key: one.key, value: one.value, provider };
  });
}
