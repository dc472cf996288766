import { arrow } from "agnes/kit";

import { converterOf, type Convert } from "./convert.ts";
import { StorageUnusable } from "./unusable.ts";

/** Turns an encapsulated message with a record batch into a batch of the wanted columns. */
export type Decode = (message: Uint8Array) => arrow.RecordBatch;

/** The first four bytes of a message; its length follows. */
const CONTINUATION = 0xff_ff_ff_ff;

/**
 * Returns how to decode the batches of a session, as batches of a schema.
 * @throws StorageUnusable if a column has a type that cannot be converted exactly
 */
export function decoderOf(serializedSchema: Uint8Array, wanted: arrow.Schema): Decode {
  const schema = schemaMessage(serializedSchema);
  const present = arrow.RecordBatchReader.from(schema).open().schema as arrow.Schema | undefined;
  const columns = wanted.fields.map((field) => {
    const at = present?.fields.findIndex(({ name }) => name === field.name) ?? -1;
    if (at < 0) throw new StorageUnusable(`the read session has no column ${field.name}`);
    const from = present!.fields[at]!.type as arrow.DataType;
    return { at, convert: converterOf(from, field.type as arrow.DataType, field.name) };
  });
  const type = new arrow.Struct(wanted.fields);
  return (message) => {
    // One buffer, in which the values are aligned: those of a response of gRPC begin anywhere.
    const bytes = new Uint8Array(schema.byteLength + message.byteLength);
    bytes.set(schema);
    bytes.set(message, schema.byteLength);
    const [batch] = [...arrow.RecordBatchReader.from(bytes)];
    if (batch === undefined) throw new TypeError("a response has no record batch");
    const children = columns.map(({ at, convert }) => converted(batch.data.children[at]!, convert));
    const data = arrow.makeData({ type, length: batch.numRows, nullCount: 0, children });
    return new arrow.RecordBatch(wanted, data);
  };
}

const converted = (data: arrow.Data, convert: Convert | null): arrow.Data =>
  convert === null ? data : convert(data);

/** Returns the schema message alone: some servers send the mark of the end of a stream after it. */
function schemaMessage(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 8) throw new StorageUnusable("the read session has no schema");
  // The prefix of old versions is the length alone.
  const isMarked = view.getUint32(0, true) === CONTINUATION;
  const end = isMarked ? 8 + view.getInt32(4, true) : 4 + view.getInt32(0, true);
  if (end > bytes.byteLength || end % 8 !== 0)
    throw new StorageUnusable("the schema of the read session cannot be read");
  return bytes.slice(0, end);
}
