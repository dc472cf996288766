import { Buffer } from "node:buffer";

import { errors } from "./errors.ts";

const NEWLINE = 10;
const RESULT_BYTES_MAX = 1 << 20;

/** The last line of a stream that is not empty. Of other lines nothing is kept. */
export class LastLine {
  #current: Uint8Array[] = [];
  #currentBytes = 0;
  #last: Buffer | "too long" | null = null;

  add(bytes: Uint8Array): void {
    const end = bytes.lastIndexOf(NEWLINE);
    if (end === -1) return this.#append(bytes);
    this.#endLines(bytes.subarray(0, end));
    this.#append(bytes.subarray(end + 1));
  }

  /** @throws `program/result_invalid` if the line is longer than 1 MiB */
  end(): string | null {
    this.#endLine();
    if (this.#last === "too long")
      throw errors.result_invalid({ reason: "its last line on stdout is longer than 1 MiB" });
    return this.#last === null ? null : this.#last.toString("utf8").trim();
  }

  /** Ends several lines; only the last that is not empty is looked at, because a program may write without end. */
  #endLines(bytes: Uint8Array): void {
    for (let end = bytes.length; ;) {
      const start = bytes.subarray(0, end).lastIndexOf(NEWLINE);
      if (start === -1) {
        this.#append(bytes.subarray(0, end));
        return this.#endLine();
      }
      const line = bytes.subarray(start + 1, end);
      if (line.some((byte) => byte > 32)) {
        this.#current = [];
        this.#currentBytes = 0;
        this.#append(line);
        return this.#endLine();
      }
      end = start;
    }
  }

  #append(bytes: Uint8Array): void {
    this.#currentBytes += bytes.length;
    if (this.#currentBytes > RESULT_BYTES_MAX) this.#current = [];
    else if (bytes.length > 0) this.#current.push(bytes);
  }

  #endLine(): void {
    const line = Buffer.concat(this.#current);
    if (this.#currentBytes > RESULT_BYTES_MAX) this.#last = "too long";
    else if (line.toString("utf8").trim() !== "") this.#last = line;
    this.#current = [];
    this.#currentBytes = 0;
  }
}

/** Splits a stream into lines. A longer line ends with `…`, by which the log finds a part of a secret before it. */
export class Lines {
  readonly #decoder = new TextDecoder();
  readonly #lengthMax: number;
  readonly #onLine: (line: string) => void;
  #current = "";

  constructor(lengthMax: number, onLine: (line: string) => void) {
    this.#lengthMax = lengthMax;
    this.#onLine = onLine;
  }

  add(bytes: Uint8Array): void {
    const parts = this.#decoder.decode(bytes, { stream: true }).split("\n");
    for (const [at, part] of parts.entries()) {
      if (at > 0) this.end();
      this.#current = (this.#current + part).slice(0, this.#lengthMax + 1);
    }
  }

  end(): void {
    const isCut = this.#current.length > this.#lengthMax;
    const text = isCut ? `${this.#current.slice(0, this.#lengthMax)}…` : this.#current;
    const line = text.replace(/\p{Cc}/gu, " ").trim();
    this.#current = "";
    if (line !== "") this.#onLine(line);
  }
}
