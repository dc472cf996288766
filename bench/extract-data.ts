/** The rows of the benches: eight columns of the usual kinds, about 100 bytes of Arrow a row. */
import * as arrow from "apache-arrow";

import {
  bool,
  decimal,
  float64,
  int32,
  int64,
  table,
  timestamp,
  utf8,
  type TableInfo,
} from "../lib/kit/mod.ts";

export const batchRows = 8192;

export const orders: TableInfo = table(
  "orders",
  {
    id: int64({ nullable: false }),
    name: utf8(),
    token: utf8(),
    amount: float64(),
    ts: timestamp(),
    flag: bool(),
    qty: int32(),
    price: decimal(18, 2),
  },
  { primaryKey: ["id"], cursor: "ts" },
);

const words = Array.from(
  { length: 10_000 },
  (_, i) => `customer ${((i * 7919) % 10_000).toString(36)} & partners é`,
);
const encoder = new TextEncoder();
const wordBytes = words.map((word) => encoder.encode(word));

/** A batch of the rows `start` to `start + count`. */
export function makeBatch(start: number, count: number, shiftMs = 0): arrow.RecordBatch {
  const id = new BigInt64Array(count);
  const ts = new BigInt64Array(count);
  const amount = new Float64Array(count);
  const qty = new Int32Array(count);
  const price = new Int32Array(count * 4);
  const flag = new Uint8Array(Math.ceil(count / 8));
  const valid = new Uint8Array(Math.ceil(count / 8)).fill(0xff);
  const names = new Uint8Array(count * 40);
  const nameOffsets = new Int32Array(count + 1);
  const tokens = new Uint8Array(count * 28);
  const tokenOffsets = new Int32Array(count + 1);
  let state = (Math.imul(start + 1, 2654435761) >>> 0) | 1;
  let nulls = 0;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const random = state >>> 0;
    id[i] = BigInt(start + i);
    ts[i] = BigInt(1_600_000_000_000 + (start + i) * 1000 + shiftMs) * 1000n;
    amount[i] = (random % 1_000_000) / 100;
    qty[i] = (random >>> 8) % 1000;
    price[4 * i] = random % 20_000_000;
    if (random & 64) flag[i >> 3]! |= 1 << (i & 7);
    if (random % 10 === 0) {
      valid[i >> 3]! &= ~(1 << (i & 7));
      nulls += 1;
    }
    const word = wordBytes[random % 10_000]!;
    names.set(word, nameOffsets[i]!);
    nameOffsets[i + 1] = nameOffsets[i]! + word.length;
    let bits = 0;
    const at = tokenOffsets[i]!;
    for (let k = 0; k < 28; k++) {
      if ((k & 7) === 0) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bits = state >>> 0;
      }
      tokens[at + k] = 97 + (bits & 15);
      bits >>>= 4;
    }
    tokenOffsets[i + 1] = at + 28;
  }
  const types = orders.schema.fields.map((field) => field.type as arrow.DataType);
  const data = (at: number, values: object) =>
    arrow.makeData({ type: types[at]!, length: count, nullCount: 0, ...values } as never);
  const children = [
    data(0, { data: id }),
    data(1, { valueOffsets: nameOffsets, data: names.subarray(0, nameOffsets[count]) }),
    data(2, { valueOffsets: tokenOffsets, data: tokens }),
    data(3, { data: amount }),
    data(4, { data: ts }),
    data(5, { data: flag, nullBitmap: valid, nullCount: nulls }),
    data(6, { data: qty }),
    data(7, { data: price }),
  ];
  const struct = new arrow.Struct(orders.schema.fields);
  return new arrow.RecordBatch(
    orders.schema,
    arrow.makeData({ type: struct, length: count, nullCount: 0, children: children as arrow.Data[] }),
  );
}

/** Batches of `rows` rows, all different, made as they are asked for. */
export async function* freshBatches(rows: number, from = 0, shiftMs = 0): AsyncGenerator<arrow.RecordBatch> {
  for (let start = 0; start < rows; start += batchRows) {
    await new Promise((resolve) => setImmediate(resolve));
    yield makeBatch(from + start, Math.min(batchRows, rows - start), shiftMs);
  }
}

/** An asynchronous source whose batches cost nothing to make: half a million rows, given again and again. */
export function pooledBatches(rows: number): () => AsyncGenerator<arrow.RecordBatch> {
  const pool = Array.from({ length: 64 }, (_, at) => makeBatch(at * batchRows, batchRows));
  return async function* () {
    for (let start = 0, at = 0; start < rows; start += batchRows, at++) {
      await new Promise((resolve) => setImmediate(resolve));
      const batch = pool[at % pool.length]!;
      yield rows - start < batchRows ? batch.slice(0, rows - start) : batch;
    }
  };
}

/** The most memory the process had, in MB; Linux only. */
export async function peakMemoryMb(): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile("/proc/self/status", "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024);
}
