import { createHash } from "node:crypto";

import { AgnesError, counted } from "../base/mod.ts";
import type { LogEntry } from "./storage.ts";

const PREFIX = '{"checksum":"';
const MIDDLE = '","entry":';
const CHECKSUM_LENGTH = 16;
const START = PREFIX.length + CHECKSUM_LENGTH + MIDDLE.length;

/** An entry as one line of JSON that carries the checksum of its own text. */
export function encodeLine(entry: LogEntry): string {
  const text = JSON.stringify(entry);
  return `${PREFIX}${checksum(text)}${MIDDLE}${text}}`;
}

/** The entry of a line. Throws `catalog_corrupt` naming the place unless it is whole and has that sequence. */
export function decodeLine(catalog: string, place: string, line: string, sequence: number): LogEntry {
  const text = line.slice(START, -1);
  const written = line.slice(PREFIX.length, PREFIX.length + CHECKSUM_LENGTH);
  const whole =
    line.startsWith(PREFIX) && line.startsWith(MIDDLE, START - MIDDLE.length) && line.endsWith("}");
  if (!whole || written !== checksum(text)) {
    const reason = whole
      ? "its checksum does not fit its content"
      : `it is no log entry (${counted(line.length, "character")})`;
    throw new AgnesError("catalog_corrupt", { catalog, place, reason });
  }
  const entry = JSON.parse(text) as LogEntry;
  if (entry.sequence === sequence) return entry;
  const reason = `it holds entry ${entry.sequence} where entry ${sequence} belongs`;
  throw new AgnesError("catalog_corrupt", { catalog, place, reason });
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, CHECKSUM_LENGTH);
}
