import type { ColumnToDescribe, MetadataChange } from "agnes/kit";

import { typeOfField } from "../../plugins/keboola/tables/types.ts";
import { fakeKeboola, type FakeKeboola, type TableOptions } from "../fakes/keboola/mod.ts";
import { openProject } from "./support.ts";

/** The table of `projectWith`. */
export const ORDERS = "in.c-crm.orders";

/** A project with one table; without types if its columns are names. */
export function projectWith(options: Partial<TableOptions> = {}): FakeKeboola {
  const keboola = fakeKeboola({ jobPolls: 0 });
  keboola.storage.createTable(ORDERS, { columns: ["id", "amount", "note"], ...options });
  return keboola;
}

/** Writes metadata, and returns the changes and the bodies of the requests. */
export async function write(
  keboola: FakeKeboola,
  columns: readonly ColumnToDescribe[],
  {
    table = ORDERS,
    dryRun = false,
    bucket,
    options = {},
    startsAt,
  }: {
    readonly table?: string;
    readonly dryRun?: boolean;
    readonly bucket?: string;
    readonly options?: Record<string, unknown>;
    readonly startsAt?: Date;
  } = {},
) {
  const at = startsAt === undefined ? {} : { startsAt };
  await using project = await openProject(keboola, { write: true, ...options }, at);
  const before = keboola.requestsOf("metadata").length;
  const changes = await project.handle.connector.writeMetadata!(table, columns, {
    signal: new AbortController().signal,
    dryRun,
    ...(bucket === undefined ? {} : { bucket }),
  });
  const bodies = keboola
    .requestsOf("metadata")
    .slice(before)
    .filter(({ method }) => method === "POST");
  return { changes: changes!, sent: bodies.map(({ body }) => JSON.parse(body) as unknown) };
}

/** The columns of a table as `discover` describes them. */
export async function columnsOf(keboola: FakeKeboola): Promise<Readonly<Record<string, readonly unknown[]>>> {
  await using project = await openProject(keboola);
  const { fields } = (await project.tables()).get(ORDERS)!.schema;
  return Object.fromEntries(
    fields.map((field) => [field.name, [typeOfField(field), field.metadata.get("description") ?? null]]),
  );
}

/** The changes as text. */
export const outcomes = (changes: readonly MetadataChange[]) =>
  changes.map(({ column, part, outcome }) => `${column} ${part} ${outcome}`);
