import { AgnesError } from "../base/mod.ts";
import { checkHead, ManifestTables, parseManifest, type Manifest } from "./manifest.ts";

/** For a list with one table in each line; its tables are checked one by one. They take 2.5 times its size in memory. */
const BYTES_MAX = 512 * 1024 * 1024;
/** For a list of another form, and for one line, which take eight times their size. */
const WHOLE_BYTES_MAX = 128 * 1024 * 1024;

const LINE_END = 0x0a;

/**
 * Reads the list of tables as its bytes arrive. A server sends a line up to `"tables":{`, then one for each table, and a last
 * one. Any other JSON is read as a whole.
 */
export class ListReader {
  readonly #server: string;
  readonly #tables: ManifestTables;
  /** The bytes of the line that has begun. */
  #line: Uint8Array[] = [];
  #lineBytes = 0;
  #sizeBytes = 0;
  #state: "head" | "tables" | "end" | "whole" = "head";

  constructor(server: string) {
    this.#server = server;
    this.#tables = new ManifestTables(server);
  }

  /** @throws `manifest_too_large`, `manifest_invalid`, `server_response_invalid` */
  take(bytes: Uint8Array): void {
    this.#sizeBytes += bytes.length;
    let begin = 0;
    while (this.#state !== "whole") {
      const end = bytes.indexOf(LINE_END, begin);
      if (end === -1) break;
      this.#line.push(bytes.subarray(begin, end));
      begin = end + 1;
      this.#endLine();
    }
    // The caller may use its buffer again.
    if (begin < bytes.length) this.#line.push(bytes.slice(begin));
    this.#lineBytes += bytes.length - begin;
    const isByLine = this.#state === "tables" || this.#state === "end";
    const check = (sizeBytes: number, maxBytes: number) => {
      if (sizeBytes > maxBytes)
        throw new AgnesError("manifest_too_large", { server: this.#server, maxBytes });
    };
    check(isByLine ? this.#lineBytes : this.#sizeBytes, WHOLE_BYTES_MAX);
    check(this.#sizeBytes, BYTES_MAX);
  }

  /** @throws `manifest_invalid`, `server_response_invalid` if it is not complete */
  end(): Manifest {
    const text = this.#text();
    if (this.#state === "head" || this.#state === "whole")
      return parseManifest(this.#server, this.#parse(text));
    const isComplete = this.#state === "end" ? text.trim() === "" : text.trim() === END;
    if (!isComplete) throw this.#notJson();
    return this.#tables.manifest;
  }

  #endLine(): void {
    const text = this.#text();
    if (this.#state === "head" && text.endsWith(HEAD_END)) {
      checkHead(this.#server, this.#parse(text + END));
      this.#state = "tables";
    } else if (this.#state === "head") {
      this.#state = "whole";
      this.#line.push(new TextEncoder().encode(`${text}\n`));
    } else if (this.#state === "end") {
      if (text.trim() !== "") throw this.#notJson();
    } else if (text === END) this.#state = "end";
    else this.#addTables(text);
  }

  #addTables(text: string): void {
    const tables = this.#parse(`{${text.endsWith(",") ? text.slice(0, -1) : text}}`);
    for (const [id, table] of Object.entries(tables as object)) this.#tables.add(id, table);
  }

  #text(): string {
    const decoder = new TextDecoder();
    const text = this.#line.map((bytes) => decoder.decode(bytes, { stream: true })).join("");
    this.#line = [];
    this.#lineBytes = 0;
    return text + decoder.decode();
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#notJson(error);
    }
  }

  #notJson(cause?: unknown): AgnesError {
    const details = { server: this.#server, httpStatus: 200, reason: "is not JSON" };
    return new AgnesError("server_response_invalid", details, { cause });
  }
}

const HEAD_END = '"tables":{';
const END = "}}";
