import { AgnesError } from "../../base/mod.ts";
import type { ResultFormat, TextOptions } from "../../duckdb/mod.ts";

/** The content type of each format. */
export const CONTENT_TYPES = {
  json: "application/json",
  arrow: "application/vnd.apache.arrow.stream",
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
  parquet: "application/vnd.apache.parquet",
} as const satisfies Readonly<Record<ResultFormat, string>>;

/** The formats, the preferred ones first. */
export const FORMATS = ["json", "arrow", "ndjson", "csv", "parquet"] as const;

/** The options of a result in the query string. */
export interface FormatOptions {
  readonly format?: ResultFormat | undefined;
  readonly numbers?: "exact" | "json" | undefined;
  readonly bom?: "0" | "1" | undefined;
  readonly escape_formulas?: "0" | "1" | undefined;
  readonly receipt?: "0" | "1" | undefined;
}

/** How a response is encoded. */
export interface ResponseFormat {
  readonly format: ResultFormat;
  readonly text: TextOptions;
  /** Whether a byte order mark comes first. */
  readonly hasMark: boolean;
  /** Whether the last line is the receipt. */
  readonly hasReceiptLine: boolean;
}

/** The formats to which each option applies. Its default applies to all. */
const FORMATS_OF_OPTION = {
  numbers: ["json", "ndjson"],
  bom: ["csv"],
  escape_formulas: ["csv"],
  receipt: ["ndjson"],
} as const satisfies Partial<Record<keyof FormatOptions, readonly ResultFormat[]>>;

/**
 * Chooses the format of a response.
 * @param accept the header Accept; null: none
 * @throws `format_not_acceptable`, `request_invalid` for an option that does not apply to the format
 */
export function responseFormat(options: FormatOptions, accept: string | null): ResponseFormat {
  const format = options.format ?? accepted(accept);
  for (const [field, formats] of Object.entries(FORMATS_OF_OPTION)) {
    const value = options[field as keyof FormatOptions];
    if (value === undefined || value === "0" || value === "exact") continue;
    if ((formats as readonly ResultFormat[]).includes(format)) continue;
    const reason = `it applies only to the format ${formats.join(" and ")}`;
    throw new AgnesError("request_invalid", { part: "query string", field, reason });
  }
  return {
    format,
    text: {
      rowArrays: format === "json",
      numbers: options.numbers ?? "exact",
      escapeFormulas: options.escape_formulas === "1",
    },
    hasMark: options.bom === "1",
    hasReceiptLine: options.receipt === "1",
  };
}

/** @throws `format_not_acceptable` */
function accepted(accept: string | null): ResultFormat {
  const ranges = (accept ?? "").trim() === "" ? [{ range: "*/*", quality: 1 }] : rangesOf(accept!);
  let best: { readonly format: ResultFormat; readonly quality: number } | null = null;
  for (const format of FORMATS) {
    const quality = qualityOf(format, ranges);
    if (quality > (best?.quality ?? 0)) best = { format, quality };
  }
  if (best !== null) return best.format;
  throw new AgnesError("format_not_acceptable", { types: FORMATS.map(typeOf) });
}

interface Range {
  readonly range: string;
  readonly quality: number;
}

function rangesOf(accept: string): readonly Range[] {
  return accept.split(",").map((part) => {
    const [range = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = Number(parameters.find((text) => /^q\s*=/.test(text))?.replace(/^q\s*=\s*/, "") ?? 1);
    return { range, quality: Number.isNaN(quality) ? 0 : Math.min(quality, 1) };
  });
}

/** The quality of the most specific range that covers a format; 0: not acceptable. */
function qualityOf(format: ResultFormat, ranges: readonly Range[]): number {
  const type = typeOf(format);
  for (const wanted of [type, `${type.split("/")[0]}/*`, "*/*"]) {
    const found = ranges.find(({ range }) => range === wanted);
    if (found !== undefined) return found.quality;
  }
  return 0;
}

function typeOf(format: ResultFormat): string {
  return CONTENT_TYPES[format].split(";")[0]!;
}
