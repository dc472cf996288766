import { basename, dirname, join } from "node:path";

import { isAgnesError, publishFile, TEMPORARY_SUFFIX, type Host } from "../base/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { PullClient, ReceivedList } from "./client.ts";
import { ListReader } from "./list-reader.ts";
import type { Manifest } from "./manifest.ts";

const CHUNK_BYTES = 256 * 1024;
const LINE_END = 0x0a;

/** The first line of a stored list; its file may be damaged. */
interface Head {
  readonly server?: unknown;
  readonly etag?: unknown;
}

/**
 * The list of tables of a server. The last one is stored as it was sent, after a line with its server and its ETag, so that an
 * unchanged one is not sent again. Losing it only costs one response.
 */
export class TableList {
  readonly #host: Pick<Host, "files" | "random">;
  readonly #client: PullClient;
  readonly #path: string;

  constructor(host: Pick<Host, "files" | "random">, dataDirectory: string, client: PullClient) {
    this.#host = host;
    this.#client = client;
    this.#path = join(dataPaths.copy(dataDirectory), "manifest.json");
  }

  /**
   * Returns the stored list, if it is still that of the server; otherwise requests it.
   * @throws the error of the server, `server_unreachable`, `server_response_invalid`, `manifest_invalid`,
   *   `manifest_too_large`, `download_stalled`, `aborted`
   */
  async latest(): Promise<Manifest> {
    const etag = await this.#storedEtag();
    if (etag === null) return this.request();
    const received = await this.#client.list(etag, (list) => this.#receive(list));
    return received ?? (await this.#stored()) ?? (await this.request());
  }

  /** Requests the list, also if it has not changed. Throws the errors of `latest`. */
  async request(): Promise<Manifest> {
    return (await this.#client.list(null, (list) => this.#receive(list)))!;
  }

  /** Reads a list, and stores it if it is valid. */
  async #receive({ etag, pieces }: ReceivedList): Promise<Manifest> {
    const { files } = this.#host;
    const server = this.#client.address;
    const reader = new ListReader(server);
    const kept = async function* () {
      yield new TextEncoder().encode(`${JSON.stringify({ server, etag })}\n`);
      for await (const piece of pieces) {
        reader.take(piece);
        yield piece;
      }
    };
    await this.#removeUnfinished();
    let manifest: Manifest | null = null;
    await publishFile(this.#host, this.#path, async (temporary) => {
      await files.writeChunks(temporary, kept());
      manifest = reader.end();
    });
    return manifest!;
  }

  /** Removes what killed pulls left, which may be large. The lock of the copy is held. */
  async #removeUnfinished(): Promise<void> {
    const { files } = this.#host;
    const directory = dirname(this.#path);
    for (const name of (await files.list(directory)) ?? [])
      if (name.startsWith(`${basename(this.#path)}.`) && name.endsWith(TEMPORARY_SUFFIX))
        await files.remove(join(directory, name));
  }

  /** The ETag of the stored list; null if there is none, or if it is of another server. */
  async #storedEtag(): Promise<string | null> {
    for await (const { head } of this.#readStored()) {
      const { server, etag } = head;
      return server === this.#client.address && typeof etag === "string" ? etag : null;
    }
    return null;
  }

  /** The stored list; null if its file is damaged. */
  async #stored(): Promise<Manifest | null> {
    const reader = new ListReader(this.#client.address);
    try {
      for await (const { bytes } of this.#readStored()) reader.take(bytes);
      return reader.end();
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      return null;
    }
  }

  /** Yields the stored list, with what its first line has. */
  async *#readStored() {
    const { files } = this.#host;
    if ((await files.stat(this.#path)) === null) return;
    let head: Head | null = null;
    for await (const bytes of files.readChunks(this.#path, CHUNK_BYTES)) {
      const end = head === null ? bytes.indexOf(LINE_END) : -1;
      // A file of an earlier version is one line.
      if (head === null && end === -1) return;
      head ??= headOf(bytes.subarray(0, end));
      yield { head, bytes: bytes.subarray(end + 1) };
    }
  }
}

function headOf(line: Uint8Array): Head {
  try {
    return JSON.parse(new TextDecoder().decode(line)) as Head;
  } catch {
    return {};
  }
}
