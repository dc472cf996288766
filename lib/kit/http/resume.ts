/** Identifies one version of a file, byte for byte. */
export interface Validator {
  readonly kind: "etag" | "date";
  readonly value: string;
}

/** The part of a file that is on disk. */
export interface Downloaded {
  readonly sizeBytes: number;
  readonly isComplete: boolean;
  /** The size of the whole file; null: unknown. */
  readonly totalBytes: number | null;
  readonly validator: Validator | null;
}

/** The effect of a response on the bytes on disk. */
export type Continuation =
  /** The file on disk is complete. */
  | { readonly kind: "unchanged" }
  /** The body continues after the bytes on disk. */
  | { readonly kind: "rest"; readonly totalBytes: number | null }
  /** The body contains the whole file. */
  | { readonly kind: "whole"; readonly totalBytes: number | null; readonly validator: Validator | null }
  /** Neither the bytes on disk nor the body are usable: request the whole file. */
  | { readonly kind: "again" };

/** Returns the headers that request the missing part if the file is unchanged. */
export function conditionalHeaders(
  { sizeBytes, isComplete, validator }: Downloaded,
  isVerified: boolean,
): Readonly<Record<string, string>> {
  if (isComplete) {
    if (validator === null) return {};
    return { [validator.kind === "etag" ? "if-none-match" : "if-modified-since"]: validator.value };
  }
  // Without a validator, only a checksum detects that the rest is from different content.
  if (sizeBytes === 0 || (validator === null && !isVerified)) return {};
  const range = { range: `bytes=${sizeBytes}-` };
  return validator === null ? range : { ...range, "if-range": validator.value };
}

/** Determines the effect of the response to these headers. */
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
  // Range and Content-Length count decoded and encoded bytes differently.
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

/** Some servers return a range of different content despite If-Range. */
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
