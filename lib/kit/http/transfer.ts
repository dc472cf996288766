import { AgnesError, counted, isAgnesError, throwIfAborted, type Host, type Log } from "../../base/mod.ts";
import { checksumBytes, fileChecksum, type Checksum } from "./checksum.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { DownloadAddress, DownloadFile, HttpResponse, HttpRequest } from "./http.ts";
import { conditionalHeaders, continuationOf } from "./resume.ts";
import { backoffMs } from "./retry.ts";
import { SpoolFile } from "./spool-file.ts";

const RETRIES = 5;

/** Services shared by the transfers of one download. */
export interface TransferServices {
  readonly host: Pick<Host, "files" | "random" | "sleep">;
  readonly log: Log;
  readonly space: DiskSpace;
  readonly directory: string;
  /** Sends one request; the credentials of the client are only sent to its base URL. */
  readonly open: (url: string, request: HttpRequest) => Promise<HttpResponse>;
  readonly onBytes: () => void;
}

/** A file to download, with its identity. */
export interface TransferFile extends DownloadFile {
  /** The configured key, or the index in the list, to which the URL is added. */
  readonly identity: { readonly key: string; readonly isExact: boolean };
}

/** Downloads one file to the spool and resumes it when the connection drops. */
export class Transfer {
  readonly #services: TransferServices;
  readonly #file: TransferFile;
  readonly #request: Pick<HttpRequest, "attemptTimeoutMs" | "retries"> & { readonly signal: AbortSignal };
  /** The last accepted address; null: a new one is needed. */
  #address: DownloadAddress | null = null;
  #isRejected = false;
  #checksum: Checksum | undefined;
  /** The high-water mark of received bytes; only bytes beyond it are progress. */
  #furthestBytes = 0;
  #failures = 0;
  #mismatches = 0;

  constructor(
    services: TransferServices,
    file: TransferFile,
    request: Pick<HttpRequest, "attemptTimeoutMs" | "retries"> & { readonly signal: AbortSignal },
  ) {
    this.#services = services;
    this.#file = file;
    this.#request = request;
    if (typeof file.checksum === "object") {
      checksumBytes(file.checksum);
      this.#checksum = file.checksum;
    }
  }

  /** Resolves to the complete file on disk. */
  async run(): Promise<SpoolFile> {
    const { space } = this.#services;
    let spool: SpoolFile | null = null;
    try {
      for (;;) {
        throwIfAborted(this.#request.signal, "the download");
        try {
          spool ??= await this.#spool();
          if (await this.#attempt(spool)) return spool;
        } catch (error) {
          await this.#recover(error, spool);
        }
      }
    } finally {
      space.release(this);
    }
  }

  async #spool(): Promise<SpoolFile> {
    const { identity } = this.#file;
    const { host, directory } = this.#services;
    const { url } = await this.#located();
    const key = identity.isExact ? identity.key : `${identity.key}\n${url.split(/[?#]/)[0]!}`;
    // Files may change within the same second, so a date identifies the content only together with a key.
    const accepts = (validator: SpoolFile["validator"]) =>
      this.#checksum !== undefined || (identity.isExact ? validator !== null : validator?.kind === "etag");
    return SpoolFile.open(host, directory, key, accepts);
  }

  async #located(): Promise<DownloadAddress> {
    const { url } = this.#file;
    if (typeof url === "string") return { url };
    if (this.#address === null) {
      const found = await url({ rejected: this.#isRejected, signal: this.#request.signal });
      this.#address = typeof found === "string" ? { url: found } : found;
    }
    return this.#address;
  }

  /** Sends one request; returns whether the file is then complete. */
  async #attempt(spool: SpoolFile): Promise<boolean> {
    const isVerified = this.#checksum !== undefined;
    if (spool.isComplete && isVerified && (await this.#matches(spool))) return true;
    const { sizeBytes = spool.sizeBytes } = this.#file;
    const isUseless = spool.validator === null || spool.sizeBytes !== sizeBytes;
    if (spool.isComplete && isUseless) spool.restart({ totalBytes: null, validator: null });
    const asked = conditionalHeaders(spool, isVerified);
    const { url: located, headers: own } = await this.#located();
    const response = await this.#services.open(located, {
      ...this.#request,
      headers: mergedHeaders(this.#file.headers, own, asked, { "accept-encoding": "identity" }),
      accept: [304, 416],
      retries: 0,
    });
    const { status, headers, url } = response;
    const { checksum } = this.#file;
    if (typeof checksum === "function") this.#checksum = checksum(headers) ?? this.#checksum;
    const next = continuationOf(response, asked, spool);
    if (next.kind === "unchanged") {
      await response.cancel();
      return this.#verified(spool, url);
    }
    if (next.kind === "again") {
      await response.cancel();
      if (Object.keys(asked).length === 0) {
        const reason = `the download of ${url} returned ${status} to a request without a range`;
        throw new AgnesError("source_answer_invalid", { reason, url, status });
      }
      spool.restart({ totalBytes: null, validator: null });
      return false;
    }
    if (next.kind === "whole") spool.restart(next);
    await this.#take(spool, response, next.totalBytes);
    return this.#verified(spool, url);
  }

  /** Appends the body to the file and makes it durable, also if the connection drops. */
  async #take(spool: SpoolFile, response: HttpResponse, totalBytes: number | null): Promise<void> {
    const { space, onBytes } = this.#services;
    const { sizeBytes: expectedBytes = totalBytes } = this.#file;
    try {
      if (totalBytes !== null && expectedBytes !== totalBytes)
        throw wrongSize(response, totalBytes, expectedBytes!);
      if (expectedBytes !== null) await space.reserve(this, expectedBytes - spool.sizeBytes);
      for await (const bytes of response.body) {
        await spool.add(bytes);
        space.used(this, bytes.byteLength);
        if (expectedBytes !== null && spool.sizeBytes > expectedBytes) {
          throw wrongSize(response, spool.sizeBytes, expectedBytes);
        }
        onBytes();
      }
      if (expectedBytes !== null && spool.sizeBytes < expectedBytes) {
        if (totalBytes === null) throw wrongSize(response, spool.sizeBytes, expectedBytes);
        const reason = `the download of ${response.url} ended after ${spool.sizeBytes} of ${counted(expectedBytes, "byte")}`;
        throw new AgnesError("source_unavailable", { reason, url: response.url });
      }
      await spool.complete();
    } catch (error) {
      await response.cancel().catch(() => {});
      // The next read must not resume wrong content.
      if (isAgnesError(error, "source_answer_invalid")) {
        await spool.discard();
      } else if (!isAgnesError(error, "disk_full")) await spool.flush();
      throw error;
    }
  }

  /** Returns whether the checksum matches; on the first mismatch, possibly caused by a resume, the download restarts. */
  async #verified(spool: SpoolFile, url: string): Promise<boolean> {
    if (this.#checksum === undefined || (await this.#matches(spool))) return true;
    await spool.discard();
    this.#mismatches += 1;
    if (this.#mismatches < 2) return false;
    const { algorithm, value } = this.#checksum;
    const reason = `the content of ${url} does not match the ${algorithm} checksum ${value}, also after a second download`;
    throw new AgnesError("source_answer_invalid", { reason, url });
  }

  async #matches(spool: SpoolFile): Promise<boolean> {
    const checksum = this.#checksum!;
    const found = await fileChecksum(this.#services.host.files, spool.path, checksum.algorithm);
    return checksumBytes(checksum).equals(found);
  }

  /** Waits until the next attempt, or throws if no attempts are left. */
  async #recover(error: unknown, spool: SpoolFile | null): Promise<void> {
    const { host, log } = this.#services;
    const { retries = RETRIES, signal } = this.#request;
    const sizeBytes = spool?.sizeBytes ?? 0;
    const isFurther = sizeBytes > this.#furthestBytes;
    if (isFurther) {
      this.#furthestBytes = sizeBytes;
      this.#isRejected = false;
    }
    const isRefused = isAgnesError(error, "source_unauthorized") || isAgnesError(error, "source_refused");
    if (isRefused && typeof this.#file.url === "function" && !this.#isRejected && this.#address !== null) {
      this.#isRejected = true;
      this.#address = null;
      return;
    }
    if (!isAgnesError(error, "source_unavailable")) throw error;
    this.#failures = isFurther ? 0 : this.#failures + 1;
    if (this.#failures > retries) {
      const reason = `${error.details.reason} (${counted(this.#failures, "attempt")} without a new byte)`;
      const details = { ...error.details, reason, attempts: this.#failures };
      throw new AgnesError("source_unavailable", details, { cause: error.cause });
    }
    const waitMs = backoffMs(host, Math.max(1, this.#failures), error.details.retryAfterMs);
    log.info(`${error.message}; resuming`, { sizeBytes, waitMs: Math.round(waitMs) });
    await host.sleep(waitMs, signal);
  }
}

/** Merges headers regardless of the case of their names; later ones override. */
function mergedHeaders(...all: readonly HttpRequest["headers"][]): NonNullable<HttpRequest["headers"]> {
  const entries = all.flatMap((headers) => Object.entries(headers ?? {}));
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
}

function wrongSize({ url, status }: HttpResponse, sizeBytes: number, expectedBytes: number): AgnesError {
  const reason = `the content of ${url} has ${counted(sizeBytes, "byte")} or more, not ${expectedBytes}`;
  return new AgnesError("source_answer_invalid", { reason, url, status });
}
