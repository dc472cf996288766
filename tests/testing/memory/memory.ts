import {
  arrowColumn,
  createRowBuilder,
  int64,
  isQueryArray,
  table,
  timestamp,
  utf8,
  type AnyConnector,
  type AnyPlugin,
  type Capability,
  type ConnectContext,
  type Connector,
  type Filter,
  type MetadataChange,
  type ReadOptions,
  type Row,
  type TableInfo,
  type arrow,
} from "agnes/kit";
import * as v from "valibot";

import { capabilities, capabilityMethods, optionalMethods } from "../../../lib/kit/mod.ts";

/** The connector of `memoryPlugin`, before methods are replaced. */
export type MemoryConnector = Connector<
  "discover" | "read" | "stream" | "remote" | "query" | "metadata" | "write"
>;

type Context = ConnectContext<unknown, { TOKEN: { description: string; required: true } }>;

/** Returns methods that replace those of a correct connector. */
export type Breaking = (
  good: MemoryConnector,
  context: Context & { readonly rows: readonly Row[] },
) => { readonly [Method in keyof MemoryConnector]?: MemoryConnector[Method] | undefined };

export const PEOPLE: TableInfo = table(
  "people",
  { id: int64({ nullable: false }), name: utf8(), seen_at: timestamp() },
  { primaryKey: ["id"], cursor: "seen_at" },
);

/** SQL of the memory plugin that returns parameters. */
export const PARAMETER_QUERY = "SELECT $text AS text, $whole AS whole, $moment AS moment";

/** SQL of the memory plugin that returns the values of an array. */
export const ARRAY_QUERY = "SELECT unnest($keys) AS value";

/**
 * A correct plugin over rows in memory; `breaking` replaces methods to violate the contract.
 *
 * @param declared the declared capabilities; default: all
 * @param sourceQuery the schema of its JSON queries, of which the good connector knows `from`; default: none
 */
export function memoryPlugin(
  breaking: Breaking = () => ({}),
  declared: readonly Capability[] = capabilities,
  sourceQuery?: AnyPlugin["sourceQuery"],
): AnyPlugin {
  return {
    ...(sourceQuery && { sourceQuery }),
    name: "memory",
    version: "1.0.0",
    description: "Rows in memory",
    capabilities: declared,
    options: v.strictObject({}),
    secrets: { TOKEN: { description: "A token", required: true } },
    extensions: { memory: { tokenOption: "TOKEN" } },
    connect(context: Context) {
      const rows = people();
      const good = goodConnector(context, rows);
      const all = { ...good, ...breaking(good, { ...context, rows }) };
      const undeclared = capabilities
        .filter((capability) => !declared.includes(capability))
        .flatMap((capability) => [...capabilityMethods[capability], ...(optionalMethods[capability] ?? [])]);
      return Object.fromEntries(
        Object.entries(all).filter(([method]) => !(undeclared as string[]).includes(method)),
      ) as AnyConnector;
    },
  };
}

/** All rows. */
export function people(count = 800): Row[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    name: id % 7 === 0 ? null : `n${id % 50}`,
    seen_at: id % 11 === 0 ? null : Date.UTC(2026, 0, 1) + Math.floor(id / 3) * 60_000,
  }));
}

function goodConnector({ secrets }: Context, rows: Row[]): MemoryConnector {
  const described = new Map<string, string>();
  return {
    discover: async () => [withDescriptions(described)],
    async *read({ name }, options) {
      if (name !== PEOPLE.name) throw new Error(`there is no table ${name}`);
      const { from = 0 } = (options.sourceQuery ?? {}) as { readonly from?: number };
      yield* batches(
        rows.filter((row) => isWanted(row, options) && Number(row["id"]) >= from),
        options,
      );
      if (options.cursor !== undefined) yield { kind: "deletions", keys: [{ id: 1_000_000 }] };
    },
    remote: () => ({ alias: "memory", extension: "memory", url: "memory:", tokenEnv: "TOKEN" }),
    async query(sql, { parameters = {} }) {
      if (sql === PARAMETER_QUERY) {
        const parameterRow = table("result", { text: utf8(), whole: int64(), moment: timestamp() });
        return {
          schema: parameterRow.schema,
          batches: batches([parameters], { batchRows: 1 }, parameterRow),
        };
      }
      const { keys = null } = parameters;
      if (sql === ARRAY_QUERY && isQueryArray(keys)) {
        const result = table("result", { value: arrowColumn(keys.type) });
        const values = keys.values.map((value) => ({ value }));
        return { schema: result.schema, batches: batches(values, { batchRows: 1 }, result) };
      }
      if (sql !== "SELECT 1 AS one") throw new Error("no such query");
      const result = table("result", { one: int64() });
      return { schema: result.schema, batches: batches([{ one: 1 }], { batchRows: 1 }, result) };
    },
    metadata: async (tables) =>
      tables.filter(({ name }) => name === PEOPLE.name).map(({ name }) => ({ name, rows: rows.length })),
    async write({ primaryKey }, written, { mode, signal }) {
      const added: Row[] = [];
      for await (const batch of written) for (const row of batch) added.push(row!.toJSON() as Row);
      signal.throwIfAborted();
      const keys = new Set(added.map((row) => keyOf(row, primaryKey)));
      const kept = mode === "append" ? rows : rows.filter((row) => !keys.has(keyOf(row, primaryKey)));
      rows.splice(0, rows.length, ...(mode === "replace" ? [] : kept), ...added);
      return { rows: added.length };
    },
    async writeMetadata(name, columns, { dryRun = false }) {
      if (name !== PEOPLE.name) return null;
      return columns.flatMap(({ name: column, description, type }) => {
        const before = described.get(column) ?? null;
        const isSame = description === before;
        if (description !== undefined && !dryRun) described.set(column, description);
        return [
          ...(description === undefined
            ? []
            : [
                {
                  column,
                  part: "description" as const,
                  outcome: isSame ? ("unchanged" as const) : ("written" as const),
                  value: description,
                  before,
                },
              ]),
          ...(type === undefined ? [] : [skippedType(column, type)]),
        ];
      });
    },
    async verify({ headers, body }) {
      if (headers["x-signature"] !== signature(body, secrets.TOKEN.reveal()))
        throw new Error("the signature is wrong");
      return [{ id: signature(body, ""), body: JSON.parse(new TextDecoder().decode(body)) as Row as never }];
    },
    async *stream(events) {
      for await (const { body } of events) yield { kind: "upsert", table: PEOPLE.name, row: body as Row };
    },
    health: async () => ({ ok: true, message: "it is in memory" }),
    close() {},
  };
}

function withDescriptions(described: ReadonlyMap<string, string>): TableInfo {
  if (described.size === 0) return PEOPLE;
  const columns = { id: int64, name: utf8, seen_at: timestamp };
  const entries = Object.entries(columns).map(([column, make]) => {
    const description = described.get(column);
    const nullable = column !== "id";
    return [column, make({ nullable, ...(description === undefined ? {} : { description }) })] as const;
  });
  return table("people", Object.fromEntries(entries), { primaryKey: ["id"], cursor: "seen_at" });
}

function skippedType(column: string, value: string): MetadataChange {
  const reason = "the types of rows in memory are fixed";
  return { column, part: "type", outcome: "skipped", value, before: null, reason };
}

const keyOf = (row: Row, key: readonly string[]) => key.map((column) => String(row[column])).join(" ");

/** Not secure, but it distinguishes authentic requests. */
export function signature(body: Uint8Array, secret: string): string {
  return [...body, ...new TextEncoder().encode(secret)]
    .reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)
    .toString();
}

/** Rows as Arrow batches. */
export async function* batches(
  rows: readonly Row[],
  {
    batchRows,
    columns,
    signal,
  }: Pick<ReadOptions, "batchRows" | "columns"> & { readonly signal?: AbortSignal },
  info = PEOPLE,
): AsyncGenerator<arrow.RecordBatch, void> {
  const builder = createRowBuilder(info, { batchRows, ...(columns === undefined ? {} : { columns }) });
  for (const batch of [...builder.append(rows), ...builder.finish()]) {
    signal?.throwIfAborted();
    yield batch;
  }
}

/** Whether a row is after the cursor and matches the filter. */
export function isWanted(row: Row, { cursor, filter = [] }: Pick<ReadOptions, "cursor" | "filter">): boolean {
  const seenAt = row["seen_at"] as number | null;
  const start = cursor === undefined ? 0 : Date.parse(`${cursor.value.replace(" ", "T")}Z`);
  const isLater =
    cursor === undefined ||
    (cursor.inclusive ? seenAt === null || seenAt >= start : seenAt !== null && seenAt > start);
  return isLater && filter.every((one) => meets(row, one));
}

function meets(row: Row, { column, operator, values }: Filter): boolean {
  const value = comparable(row[column]);
  if (operator === "is_null") return value === null;
  if (value === null) return false;
  const operands = values.map((one) =>
    comparable(column === "seen_at" ? Date.parse(`${String(one).replace(" ", "T")}Z`) : one)!,
  );
  switch (operator) {
    case "is_not_null":
      return true;
    case "eq":
      return operands.includes(value);
    case "ne":
      return !operands.includes(value);
    case "gt":
      return operands.every((one) => value > one);
    case "ge":
      return operands.every((one) => value >= one);
    case "lt":
      return operands.every((one) => value < one);
    case "le":
      return operands.every((one) => value <= one);
  }
}

function comparable(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : Number(value);
}
