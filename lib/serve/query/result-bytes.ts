import { AgnesError } from "../../base/mod.ts";
import type { EncodedResult, Receipt } from "../../query/mod.ts";
import type { ResponseFormat } from "./formats.ts";
import { sentReceipt } from "./sent-receipt.ts";

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** The bytes of a body. @throws `result_too_large` */
export async function* resultBytes(
  result: EncodedResult,
  options: { readonly id: string; readonly format: ResponseFormat; readonly maxBytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  const { id, format, maxBytes } = options;
  if (format.hasMark) yield BYTE_ORDER_MARK;
  let sizeBytes = 0;
  for await (const piece of result.bytes) {
    sizeBytes += piece.length;
    // The rows of JSON are cut off at the limit.
    if (format.format !== "json" && sizeBytes > maxBytes)
      throw new AgnesError("result_too_large", { maxBytes });
    yield piece;
  }
  if (format.format === "json") yield jsonTail(id, result.receipt());
  if (format.hasReceiptLine) yield receiptLine(id, result.receipt());
}

const encoder = new TextEncoder();

/** The members after `columns` and `rows`. */
function jsonTail(id: string, receipt: Receipt): Uint8Array {
  const { rows, truncated } = receipt;
  const members = { row_count: rows, truncated, query_id: id, receipt: sentReceipt(receipt) };
  return encoder.encode(`,${JSON.stringify(members).slice(1)}\n`);
}

function receiptLine(id: string, receipt: Receipt): Uint8Array {
  return encoder.encode(`${JSON.stringify({ query_id: id, receipt: sentReceipt(receipt) })}\n`);
}
