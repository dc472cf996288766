import { Buffer } from "node:buffer";

import * as arrow from "apache-arrow";

import { withUniqueNames, type StreamResult } from "../../duckdb/mod.ts";
import type { ResultHead } from "./protocol.ts";

const LENGTH_BYTES = 4;

/** Returns the Arrow stream of a schema without rows, in base64. */
export function encodeSchema(result: StreamResult): string {
  const { schema } = withUniqueNames(result);
  return Buffer.from(arrow.tableToIPC(new arrow.Table(schema), "stream")).toString("base64");
}

/** Encodes batches exactly: for each, the length of an Arrow stream and the stream, with one batch and unique names. */
export async function* encodeBatches(result: StreamResult): AsyncGenerator<Uint8Array, void, void> {
  const { schema, batches } = withUniqueNames(result);
  for await (const batch of batches) {
    const bytes = arrow.tableToIPC(new arrow.Table(schema, [batch]), "stream");
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(bytes.length);
    yield length;
    yield bytes;
  }
}

/** Returns the schema of a result, with its names. */
export function decodeSchema({ names, schema }: Pick<ResultHead, "names" | "schema">): arrow.Schema {
  const decoded = arrow.tableFromIPC(Buffer.from(schema, "base64")).schema;
  const fields = decoded.fields.map((field, at) => field.clone({ name: names[at]! }));
  return new arrow.Schema(fields, decoded.metadata);
}

/** Decodes the bytes of `encodeBatches`, in which every piece may be cut anywhere. */
export async function* decodeBatches(
  schema: arrow.Schema,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<arrow.RecordBatch, void, void> {
  const type = new arrow.Struct(schema.fields);
  let waiting: Buffer[] = [];
  let length = 0;
  let needed = LENGTH_BYTES;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    while (length >= needed) {
      let rest = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
      needed = LENGTH_BYTES + rest.readUInt32LE(0);
      if (rest.length < needed) {
        waiting = [rest];
        break;
      }
      const { batches } = arrow.tableFromIPC(aligned(rest.subarray(LENGTH_BYTES, needed)));
      for (const batch of batches) yield new arrow.RecordBatch(schema, batch.data.clone(type));
      rest = rest.subarray(needed);
      waiting = [rest];
      length = rest.length;
      needed = LENGTH_BYTES;
    }
  }
}

/** Arrow reads values of 8 bytes in place, which must be aligned. */
function aligned(bytes: Buffer): Uint8Array {
  return Uint8Array.from(bytes);
}
