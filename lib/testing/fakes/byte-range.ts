/** A stored file with its validators. */
export interface StoredFile {
  readonly content: Uint8Array;
  /** A strong ETag, with its quotes. */
  readonly etag: string;
  readonly modifiedAt: Date;
}

/**
 * Responds to a GET for a file according to RFC 9110: If-None-Match and If-Modified-Since (13.1), If-Range (13.1.5) and
 * one byte range (14.2). A Range with several or malformed ranges is ignored.
 */
export function respondWithFile(
  { content, etag, modifiedAt }: StoredFile,
  asked: Headers,
  options: { readonly ranges: boolean; readonly now: Date },
): Response {
  const modified = modifiedAt.toUTCString();
  const common = {
    etag,
    date: options.now.toUTCString(),
    "last-modified": modified,
    ...(options.ranges ? { "accept-ranges": "bytes" } : {}),
  };
  const known = asked.get("if-none-match");
  const knownSince = asked.get("if-modified-since");
  const isKnown =
    known === null
      ? knownSince !== null && Date.parse(modified) <= Date.parse(knownSince)
      : known.split(",").some((one) => one.trim() === "*" || isWeaklyEqual(one.trim(), etag));
  if (isKnown) return new Response(null, { status: 304, headers: common });
  const condition = asked.get("if-range");
  const isSame = condition === null || condition === etag || condition === modified;
  const range = options.ranges && isSame ? rangeOf(asked.get("range"), content.length) : null;
  if (range === null) {
    const headers = { ...common, "content-length": String(content.length) };
    return new Response(new Uint8Array(content), { headers });
  }
  const { start, end } = range;
  if (start >= end) {
    const headers = { ...common, "content-range": `bytes */${content.length}` };
    return new Response(null, { status: 416, headers });
  }
  const headers = {
    ...common,
    "content-length": String(end - start),
    "content-range": `bytes ${start}-${end - 1}/${content.length}`,
  };
  return new Response(new Uint8Array(content.subarray(start, end)), { status: 206, headers });
}

/** Compares two ETags weakly (8.8.3.2), as If-None-Match does. */
function isWeaklyEqual(one: string, other: string): boolean {
  return one.replace(/^W\//, "") === other.replace(/^W\//, "");
}

/** Returns the bytes from `start` to `end`, exclusive; empty: not satisfiable; null: the whole file. */
function rangeOf(
  range: string | null,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | null {
  const parts = /^bytes=(\d*)-(\d*)$/i.exec(range ?? "");
  if (parts === null) return null;
  const [first, last] = [parts[1]!, parts[2]!];
  if (first === "")
    return last === "" ? null : { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  if (last !== "" && Number(last) < Number(first)) return null;
  return { start: Number(first), end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}
