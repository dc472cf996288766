import { createAgnes, type Agnes, type PushRequest } from "agnes";
import {
  date,
  decimal,
  definePlugin,
  float64,
  int64,
  table,
  timestamp,
  utf8,
  type arrow,
  type Row,
  type TableInfo,
  type WriteOptions,
} from "agnes/kit";
import * as v from "valibot";

/** A source in memory that takes rows. */
export interface Ledger {
  rows: Row[];
  /** Columns of each batch that was written. */
  readonly columns: string[][];
  readonly writes: WriteOptions["mode"][];
  /** The number that `write` reports instead of the rows. */
  accepted?: unknown;
  /** Rows after which `write` reads no more. */
  stopsAfter?: number;
  /** Has `writeTarget`, which accepts these tables. */
  targets?: Readonly<Record<string, TableInfo>>;
  readonly asked: { readonly name: string; readonly bucket: string | undefined; readonly mode: string }[];
}

export function newLedger(): Ledger {
  return { rows: [], columns: [], writes: [], asked: [] };
}

/** The tables: `scores` has a key, `log` has none, `fixed` takes no rows. */
const tables = [
  table("scores", { id: int64(), name: utf8(), score: decimal(12, 2) }, { primaryKey: ["id"] }),
  table("log", { id: int64(), at: timestamp(), ratio: float64(), day: date() }),
  table("fixed", { id: int64() }, { capabilities: ["discover", "read"] }),
];

export const SECRET = "5ecret-of-the-ledger";

export function ledgerPlugin(ledger: Ledger, canWrite: boolean) {
  const common = {
    name: canWrite ? "ledger" : "reader",
    version: "1.0.0",
    description: "Rows in memory",
    options: v.strictObject({}),
    secrets: { LEDGER_TOKEN: { description: "token of the ledger", required: true } },
  };
  const reading = {
    discover: async () => tables,
    async *read() {
      yield [{ id: 1, name: "one", score: "1.50" }];
    },
  };
  if (!canWrite)
    return definePlugin({ ...common, capabilities: ["discover", "read"], connect: () => reading });
  return definePlugin({
    ...common,
    capabilities: ["discover", "read", "write"],
    connect: () => ({
      ...reading,
      async write(_info: TableInfo, batches: AsyncIterable<arrow.RecordBatch>, { mode }: WriteOptions) {
        ledger.writes.push(mode);
        const rows: Row[] = [];
        for await (const batch of batches) {
          ledger.columns.push(batch.schema.fields.map((field) => String(field.name)));
          for (const row of batch) rows.push(row.toJSON() as Row);
          if (rows.length >= (ledger.stopsAfter ?? Infinity)) break;
        }
        ledger.rows.push(...rows);
        return { rows: (ledger.accepted ?? rows.length) as number };
      },
      ...(ledger.targets !== undefined && {
        async writeTarget(name: string, { bucket, mode }: { bucket?: string; mode: string }) {
          ledger.asked.push({ name, bucket, mode });
          if (name === "leak") throw new Error(`refused with ${SECRET}`);
          return ledger.targets![name] ?? null;
        },
      }),
    }),
  });
}

/** A workspace over a ledger and a source that cannot write; `scores` is registered and published. */
export async function openLedger(directory: string, ledger: Ledger): Promise<Agnes> {
  const agnes = await createAgnes({
    workspace: directory,
    plugins: [ledgerPlugin(ledger, true), ledgerPlugin(ledger, false)],
    config: {
      version: 1,
      sources: {
        book: { plugin: "ledger", register: "listed" },
        paper: { plugin: "reader", register: "listed" },
      },
    },
    host: { env: { LEDGER_TOKEN: SECRET } },
  });
  const registry = await agnes.tables();
  await registry.register({ source: "book", sourceTable: "scores", bucket: "main" });
  await registry.register({ source: "paper", sourceTable: "scores", name: "papers", viewName: "papers" });
  return agnes;
}

/** A request to the table `scores`. */
export const toScores = (sql: string, rest: Partial<PushRequest> = {}): PushRequest => ({
  table: "scores",
  mode: "upsert",
  sql,
  ...rest,
});
