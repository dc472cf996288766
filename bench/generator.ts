import * as arrow from "apache-arrow";

/**
 * The table of the benchmarks: eight columns of the types and cardinalities that tables have, about 100 bytes a row
 * in Arrow. Made by arithmetic alone, so that making it costs little beside what is measured; the same every time.
 */
export const benchSchema: arrow.Schema = new arrow.Schema([
  new arrow.Field("id", new arrow.Int64(), false),
  new arrow.Field("name", new arrow.Utf8(), true),
  new arrow.Field("token", new arrow.Utf8(), true),
  new arrow.Field("amount", new arrow.Float64(), true),
  new arrow.Field("created_at", new arrow.TimestampMicrosecond(), true),
  new arrow.Field("active", new arrow.Bool(), true),
  new arrow.Field("quantity", new arrow.Int32(), true),
  new arrow.Field("price", new arrow.Decimal(2, 18, 128), true),
]);

/** The rows of a batch that measured best. */
export const BENCH_BATCH_ROWS = 10_000;

const NAMES = 10_000;
const TOKEN_BYTES_MAX = 31;
const HEX = new TextEncoder().encode("0123456789abcdef");
const names = makeNames();
const namesBytesMax = Math.max(...names.map((name) => name.length));

function makeNames(): readonly Uint8Array[] {
  const encoder = new TextEncoder();
  const next = randomFrom(12_345);
  return Array.from({ length: NAMES }, () => {
    const length = 8 + (next() % 25);
    return encoder.encode(
      Array.from({ length }, () => "abcdefghijklmnopqrstuvwxyz     é"[next() % 32]).join(""),
    );
  });
}

/** A fast generator of unsigned 32-bit numbers (xorshift). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Rows `[start, start + count)`. */
export function benchBatch(start: number, count: number): arrow.RecordBatch {
  const next = randomFrom(start * 2_654_435_761 + 97);
  const id = new BigInt64Array(count);
  const createdAt = new BigInt64Array(count);
  const amount = new Float64Array(count);
  const quantity = new Int32Array(count);
  const price = new Int32Array(count * 4);
  const active = new Uint8Array((count + 7) >> 3);
  const activeValid = new Uint8Array((count + 7) >> 3);
  const quantityValid = new Uint8Array((count + 7) >> 3);
  const nameOffsets = new Int32Array(count + 1);
  const tokenOffsets = new Int32Array(count + 1);
  const nameBytes = new Uint8Array(count * namesBytesMax);
  const tokenBytes = new Uint8Array(count * TOKEN_BYTES_MAX);
  let [activeNulls, quantityNulls, nameEnd, tokenEnd] = [0, 0, 0, 0];
  for (let row = 0; row < count; row++) {
    const random = next();
    id[row] = BigInt(start + row);
    createdAt[row] = 1_600_000_000_000_000n + BigInt(start + row) * 1_000_003n;
    amount[row] = (random % 1_000_000) / 100 + row * 0.001;
    quantity[row] = (random >>> 8) % 1000;
    const cents = (random % 20_000_000) - 5_000_000;
    price.fill(cents >> 31, row * 4, row * 4 + 4);
    price[row * 4] = cents;
    const bit = 1 << (row & 7);
    if ((random & 64) !== 0) active[row >> 3]! |= bit;
    if (random % 10 === 0) activeNulls += 1;
    else activeValid[row >> 3]! |= bit;
    if (random % 33 === 0) quantityNulls += 1;
    else quantityValid[row >> 3]! |= bit;
    const name = names[random % NAMES]!;
    for (let byte = 0; byte < name.length; byte++) nameBytes[nameEnd + byte] = name[byte]!;
    nameEnd += name.length;
    nameOffsets[row + 1] = nameEnd;
    const tokenLength = 24 + (random & 7);
    for (let byte = 0, bits = 0; byte < tokenLength; byte++, bits >>>= 4) {
      if ((byte & 7) === 0) bits = next();
      tokenBytes[tokenEnd + byte] = HEX[bits & 15]!;
    }
    tokenEnd += tokenLength;
    tokenOffsets[row + 1] = tokenEnd;
  }
  const column = (index: number, parts: object) =>
    arrow.makeData({
      type: benchSchema.fields[index]!.type as arrow.DataType,
      length: count,
      nullCount: 0,
      ...parts,
    } as unknown as Parameters<typeof arrow.makeData>[0]) as arrow.Data;
  const children = [
    column(0, { data: id }),
    column(1, { valueOffsets: nameOffsets, data: nameBytes.subarray(0, nameEnd) }),
    column(2, { valueOffsets: tokenOffsets, data: tokenBytes.subarray(0, tokenEnd) }),
    column(3, { data: amount }),
    column(4, { data: createdAt }),
    column(5, { nullCount: activeNulls, nullBitmap: activeValid, data: active }),
    column(6, { nullCount: quantityNulls, nullBitmap: quantityValid, data: quantity }),
    column(7, { data: new Uint32Array(price.buffer) }),
  ];
  const struct = new arrow.Struct(benchSchema.fields);
  return new arrow.RecordBatch(
    benchSchema,
    arrow.makeData({ type: struct, length: count, nullCount: 0, children }),
  );
}

/** How many batches are made in full; later ones repeat their texts and figures under new ids and times. */
const TEMPLATES = 64;
let templates: readonly arrow.RecordBatch[] | null = null;

/** Makes what all batches are made from, so that a measurement need not pay for it. */
export function prepareBench(): void {
  templates ??= Array.from({ length: TEMPLATES }, (_, index) =>
    benchBatch(index * BENCH_BATCH_ROWS, BENCH_BATCH_ROWS),
  );
}

/** Rows `[start, start + count)` at the cost of two columns. */
function quickBatch(start: number, count: number): arrow.RecordBatch {
  prepareBench();
  const template = templates![(start / BENCH_BATCH_ROWS) % TEMPLATES]!.slice(0, count);
  const id = new Int32Array(count * 2);
  const createdAt = new Uint32Array(count * 2);
  for (let row = 0; row < count; row++) {
    id[row * 2] = start + row;
    const micros = 1_600_000_000_000_000 + (start + row) * 1_000_003;
    createdAt[row * 2] = micros;
    createdAt[row * 2 + 1] = Math.floor(micros / 2 ** 32);
  }
  const fresh = (values: ArrayBufferLike, type: arrow.DataType) =>
    arrow.makeData({
      type: type as arrow.Int64,
      length: count,
      nullCount: 0,
      data: new BigInt64Array(values),
    });
  const children = template.data.children.map((child, index) => {
    if (index === 0) return fresh(id.buffer, child.type);
    return index === 4 ? fresh(createdAt.buffer, child.type) : child;
  });
  const struct = new arrow.Struct(benchSchema.fields);
  return new arrow.RecordBatch(
    benchSchema,
    arrow.makeData({ type: struct, length: count, nullCount: 0, children }),
  );
}

/** All rows, each batch after a turn of the event loop as a real connector's would come; `spent` adds up its time. */
export async function* benchBatches(
  rows: number,
  spent: { generatorMs: number } = { generatorMs: 0 },
): AsyncGenerator<arrow.RecordBatch, void, void> {
  for (let start = 0; start < rows; start += BENCH_BATCH_ROWS) {
    const began = performance.now();
    const batch = quickBatch(start, Math.min(BENCH_BATCH_ROWS, rows - start));
    spent.generatorMs += performance.now() - began;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    yield batch;
  }
}
