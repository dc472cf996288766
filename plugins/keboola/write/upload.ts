import { promisify } from "node:util";
import { gzip } from "node:zlib";

import { AgnesError } from "agnes/kit";

import { cloudUpload, type CloudUpload } from "../clouds/mod.ts";
import { errors } from "../errors.ts";
import { preparedFileSchema, type PreparedFile } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import { pathOf } from "../tables/tables.ts";

/** Slow lines take minutes for one slice. */
const ANSWER_TIMEOUT_MS = 10 * 60_000;
const SLICE_TIMEOUT_MS = 60 * 60_000;

const compress = promisify(gzip);

/** A file in the storage of Keboola that is uploaded in slices, one at a time. */
export class SlicedUpload {
  readonly #source: Source;
  readonly #table: string;
  readonly #signal: AbortSignal;
  readonly #entries: string[] = [];
  #file: PreparedFile;
  #cloud: CloudUpload;

  private constructor(source: Source, table: string, file: PreparedFile, signal: AbortSignal) {
    this.#source = source;
    this.#table = table;
    this.#signal = signal;
    this.#file = file;
    this.#cloud = this.#cloudOf(file);
  }

  /** Asks the stack where to upload a file. It deletes the file after 15 days. */
  static async prepare(source: Source, table: string, signal: AbortSignal): Promise<SlicedUpload> {
    const file = await source.api.call(`${pathOf(source.settings.branch)}/files/prepare`, {
      json: {
        name: "agnes-push.csv.gz",
        federationToken: true,
        isSliced: true,
        tags: ["agnes-push"],
      },
      schema: preparedFileSchema,
      what: `the upload of rows for table ${table}`,
      signal,
    });
    return new SlicedUpload(source, table, file, signal);
  }

  get id(): string {
    return this.#file.id;
  }

  /** Compresses and uploads one slice. */
  async add(text: string): Promise<void> {
    const suffix = `_${String(this.#entries.length).padStart(5, "0")}.csv.gz`;
    const bytes = await compress(text);
    await this.#put(suffix, Uint8Array.from(bytes));
    this.#entries.push(suffix);
  }

  /** Uploads the list of slices. */
  async finish(): Promise<void> {
    const entries = this.#entries.map((suffix) => ({ url: this.#cloud.entry(suffix) }));
    await this.#put("manifest", new TextEncoder().encode(JSON.stringify({ entries })));
  }

  async #put(suffix: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#send(suffix, body);
    } catch (error) {
      if (!isRefused(error)) throw this.#named(error);
      // Only Google's credentials live for an hour, and only those can be renewed.
      if ((this.#file.gcsUploadParams ?? null) === null) throw this.#named(error);
      await this.#renew();
      await this.#send(suffix, body).catch((again: unknown) => {
        throw this.#named(again);
      });
    }
  }

  async #send(suffix: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
    const { http, address } = this.#source.cloud;
    const { url, headers = {} } = await this.#cloud.address(suffix);
    await address.check(url);
    const answer = await http.request(url, {
      method: "PUT",
      body,
      headers: { "content-type": "application/octet-stream", ...headers },
      attemptTimeoutMs: ANSWER_TIMEOUT_MS,
      timeoutMs: SLICE_TIMEOUT_MS,
      signal: this.#signal,
    });
    await answer.cancel();
  }

  async #renew(): Promise<void> {
    const { api, settings } = this.#source;
    this.#file = await api.call(`${pathOf(settings.branch)}/files/${encodeURIComponent(this.id)}/refresh`, {
      method: "PUT",
      schema: preparedFileSchema,
      what: `the upload of rows for table ${this.#table}`,
      signal: this.#signal,
    });
    this.#cloud = this.#cloudOf(this.#file);
  }

  #cloudOf(file: PreparedFile): CloudUpload {
    const cloud = cloudUpload(file, this.#source.cloud.now);
    if (cloud !== null) return cloud;
    const reason = "the stack names no cloud to upload to that this version knows";
    throw errors.upload_refused({ table: this.#table, reason }, { retry: "permanent" });
  }

  #named(error: unknown): unknown {
    if (!(error instanceof AgnesError)) return error;
    if (!isRefused(error) && error.code !== "source_unavailable") return error;
    const { reason } = error.details as { readonly reason?: string };
    return errors.upload_refused({ table: this.#table, reason: reason ?? error.message }, { cause: error });
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof AgnesError && (error.code === "source_unauthorized" || error.code === "source_refused");
