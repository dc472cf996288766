import { createHash } from "node:crypto";

import { AgnesError, counted } from "../base/mod.ts";
import type { LogEntry } from "./storage.ts";

const PREFIX = '{"checksum":"';
const MIDDLE = '","entry":';
const CHECKSUM_LENGTH = 16;
const START = PREFIX.length + CHECKSUM_LENGTH + MIDDLE.length;

/** Encodes an entry as one line of JSON with a checksum of its text. */
export function encodeLine(entry: LogEntry): string {
  const text = JSON.stringify(entry);
  return `${PREFIX}${checksum(text)}${MIDDLE}${text}}`;
}

/**
 * Decodes the entry of a line.
 * @throws `catalog_corrupt` naming the place if the line is damaged or has another sequence number
 */
export function decodeLine(catalog: string, place: string, line: string, sequence: number): LogEntry {
  const text = line.slice(START, -1);
  const written = line.slice(PREFIX.length, PREFIX.length + CHECKSUM_LENGTH);
  const isComplete =
    line.startsWith(PREFIX) && line.startsWith(MIDDLE, START - MIDDLE.length) && line.endsWith("}");
  if (!isComplete || written !== checksum(text)) {
    const reason = isComplete
      ? "its checksum does not match its content"
      : `it is not a log entry (${counted(line.length, "character")})`;
    throw new AgnesError("catalog_corrupt", { catalog, place, reason });
  }
  const entry = JSON.parse(text) as LogEntry;
  if (entry.sequence === sequence) return entry;
  const reason = `it contains entry ${entry.sequence} instead of entry ${sequence}`;
  throw new AgnesError("catalog_corrupt", { catalog, place, reason });
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, CHECKSUM_LENGTH);
}
