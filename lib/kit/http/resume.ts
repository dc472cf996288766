/** What tells two states of one file apart, byte by byte. */
export interface Validator {
  readonly kind: "etag" | "date";
  readonly value: string;
}

/** What is on the disk of a file. */
export interface Downloaded {
  readonly sizeBytes: number;
  readonly isComplete: boolean;
  /** The size of the whole file; null: unknown. */
  readonly totalBytes: number | null;
  readonly validator: Validator | null;
}

/** What an answer means for the bytes on the disk. */
export type Continuation =
  /** All of it is on the disk already. */
  | { readonly kind: "unchanged" }
  /** The body holds the bytes behind those on the disk. */
  | { readonly kind: "rest"; readonly totalBytes: number | null }
  /** The body holds the file from its first byte. */
  | { readonly kind: "whole"; readonly totalBytes: number | null; readonly validator: Validator | null }
  /** The bytes on the disk are of no use, and the body neither: ask for the whole file. */
  | { readonly kind: "again" };

/** The headers that ask for what is not on the disk, as long as the file is the same. */
export function conditionalHeaders(
  { sizeBytes, isComplete, validator }: Downloaded,
  isVerified: boolean,
): Readonly<Record<string, string>> {
  if (isComplete) {
    if (validator === null) return {};
    return { [validator.kind === "etag" ? "if-none-match" : "if-modified-since"]: validator.value };
  }
  // Without a validator only a checksum would show that the rest belongs to another content.
  if (sizeBytes === 0 || (validator === null && !isVerified)) return {};
  const range = { range: `bytes=${sizeBytes}-` };
  return validator === null ? range : { ...range, "if-range": validator.value };
}

/** Decides what an answer to these headers means. */
export function continuationOf(
  { status, headers }: { readonly status: number; readonly headers: Headers },
  asked: Readonly<Record<string, string>>,
  known: Downloaded,
): Continuation {
  if (status === 304) return known.isComplete ? { kind: "unchanged" } : { kind: "again" };
  if (status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
    const totalBytes = range === null || range[3] === "*" ? null : Number(range[3]);
    const isRest =
      asked["range"] !== undefined &&
      range !== null &&
      Number(range[1]) === known.sizeBytes &&
      !isEncoded(headers) &&
      isSame(headers, known, totalBytes);
    return isRest ? { kind: "rest", totalBytes: totalBytes ?? known.totalBytes } : { kind: "again" };
  }
  if (status === 416) return { kind: "again" };
  // The bytes of an encoded body are not those that Range and Content-Length count.
  if (isEncoded(headers)) return { kind: "whole", totalBytes: null, validator: null };
  const length = headers.get("content-length");
  const totalBytes = length !== null && /^\d+$/.test(length) ? Number(length) : null;
  return { kind: "whole", totalBytes, validator: validatorOf(headers) };
}

/** A strong ETag, or a Last-Modified that is old enough to be one (RFC 9110, 8.8.2.2). */
function validatorOf(headers: Headers): Validator | null {
  const etag = headers.get("etag");
  if (etag !== null && /^"[^"]*"$/.test(etag)) return { kind: "etag", value: etag };
  const modified = headers.get("last-modified");
  const ageMs = Date.parse(headers.get("date") ?? "") - Date.parse(modified ?? "");
  return modified !== null && ageMs >= 1000 ? { kind: "date", value: modified } : null;
}

/** Some servers answer a range of another content although If-Range forbids it. */
function isSame(headers: Headers, { validator, totalBytes }: Downloaded, found: number | null): boolean {
  if (totalBytes !== null && found !== null && found !== totalBytes) return false;
  if (validator === null) return true;
  const value = headers.get(validator.kind === "etag" ? "etag" : "last-modified");
  return value === null || value === validator.value;
}

function isEncoded(headers: Headers): boolean {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  return encoding !== "" && encoding !== "identity";
}
