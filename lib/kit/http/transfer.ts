import { AgnesError, counted, isAgnesError, throwIfAborted, type Host, type Log } from "../../base/mod.ts";
import { checksumBytes, fileChecksum, type Checksum } from "./checksum.ts";
import type { DiskSpace } from "./disk-space.ts";
import type { DownloadFile, HttpAnswer, HttpRequest } from "./http.ts";
import { conditionalHeaders, continuationOf } from "./resume.ts";
import { backoffMs } from "./retry.ts";
import { SpoolFile } from "./spool-file.ts";

const RETRIES = 5;

/** What the transfers of one download share. */
export interface TransferServices {
  readonly host: Pick<Host, "files" | "random" | "sleep">;
  readonly log: Log;
  readonly space: DiskSpace;
  readonly directory: string;
  /** Sends one request to an address; credentials of the client stay with its base address. */
  readonly open: (url: string, request: HttpRequest) => Promise<HttpAnswer>;
  readonly onBytes: () => void;
}

/** A file to fetch, with what identifies it. */
export interface TransferFile extends DownloadFile {
  /** The key of its author, or the place in the list, to which the address is added. */
  readonly identity: { readonly key: string; readonly isExact: boolean };
}

/** Fetches one file into the spool, however often the connection is lost. */
export class Transfer {
  readonly #services: TransferServices;
  readonly #file: TransferFile;
  readonly #request: Pick<HttpRequest, "attemptTimeoutMs" | "retries"> & { readonly signal: AbortSignal };
  /** The address that the source took last; null: it is to be asked for. */
  #url: string | null = null;
  #isRejected = false;
  #checksum: Checksum | undefined;
  /** The most bytes that were there at once; more of them is progress, the same again is not. */
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

  /** The file, complete on the disk. */
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
    const { identity, url } = this.#file;
    const { host, directory } = this.#services;
    const address = typeof url === "string" ? url : await this.#address();
    const key = identity.isExact ? identity.key : `${identity.key}\n${address.split(/[?#]/)[0]!}`;
    // Two files may have been changed in the same second, so a date identifies only what its author identified.
    const accepts = (validator: SpoolFile["validator"]) =>
      this.#checksum !== undefined || (identity.isExact ? validator !== null : validator?.kind === "etag");
    return SpoolFile.open(host, directory, key, accepts);
  }

  async #address(): Promise<string> {
    const { url } = this.#file;
    if (typeof url === "string") return url;
    this.#url ??= await url({ rejected: this.#isRejected, signal: this.#request.signal });
    return this.#url;
  }

  /** One request; whether the file is complete then. */
  async #attempt(spool: SpoolFile): Promise<boolean> {
    const isVerified = this.#checksum !== undefined;
    if (spool.isComplete && isVerified && (await this.#matches(spool))) return true;
    const { sizeBytes = spool.sizeBytes } = this.#file;
    const isUseless = spool.validator === null || spool.sizeBytes !== sizeBytes;
    if (spool.isComplete && isUseless) spool.restart({ totalBytes: null, validator: null });
    const asked = conditionalHeaders(spool, isVerified);
    const answer = await this.#services.open(await this.#address(), {
      ...this.#request,
      headers: { ...this.#file.headers, ...asked, "accept-encoding": "identity" },
      accept: [304, 416],
      retries: 0,
    });
    const { status, headers, url } = answer;
    const { checksum } = this.#file;
    if (typeof checksum === "function") this.#checksum = checksum(headers) ?? this.#checksum;
    const next = continuationOf(answer, asked, spool);
    if (next.kind === "unchanged") {
      await answer.cancel();
      return this.#verified(spool, url);
    }
    if (next.kind === "again") {
      await answer.cancel();
      if (Object.keys(asked).length === 0) {
        const reason = `the download of ${url} answered ${status} without being asked for a part`;
        throw new AgnesError("source_answer_invalid", { reason, url, status });
      }
      spool.restart({ totalBytes: null, validator: null });
      return false;
    }
    if (next.kind === "whole") spool.restart(next);
    await this.#take(spool, answer, next.totalBytes);
    return this.#verified(spool, url);
  }

  /** Writes the body behind what is there, and makes it durable also when the connection is lost. */
  async #take(spool: SpoolFile, answer: HttpAnswer, totalBytes: number | null): Promise<void> {
    const { space, onBytes } = this.#services;
    const { sizeBytes: expectedBytes = totalBytes } = this.#file;
    try {
      if (totalBytes !== null && expectedBytes !== totalBytes)
        throw wrongSize(answer, totalBytes, expectedBytes!);
      if (expectedBytes !== null) await space.reserve(this, expectedBytes - spool.sizeBytes);
      for await (const bytes of answer.body) {
        await spool.add(bytes);
        space.used(this, bytes.byteLength);
        if (expectedBytes !== null && spool.sizeBytes > expectedBytes) {
          throw wrongSize(answer, spool.sizeBytes, expectedBytes);
        }
        onBytes();
      }
      if (expectedBytes !== null && spool.sizeBytes < expectedBytes) {
        if (totalBytes === null) throw wrongSize(answer, spool.sizeBytes, expectedBytes);
        const reason = `the download of ${answer.url} ended after ${spool.sizeBytes} of ${counted(expectedBytes, "byte")}`;
        throw new AgnesError("source_unavailable", { reason, url: answer.url });
      }
      await spool.complete();
    } catch (error) {
      await answer.cancel().catch(() => {});
      // A wrong content must not be found by the next read.
      if (isAgnesError(error, "source_answer_invalid")) {
        await spool.discard();
      } else if (!isAgnesError(error, "disk_full")) await spool.flush();
      throw error;
    }
  }

  /** Whether the content has its checksum; a first mismatch may come of a resume, so the file starts again. */
  async #verified(spool: SpoolFile, url: string): Promise<boolean> {
    if (this.#checksum === undefined || (await this.#matches(spool))) return true;
    await spool.discard();
    this.#mismatches += 1;
    if (this.#mismatches < 2) return false;
    const { algorithm, value } = this.#checksum;
    const reason = `the content of ${url} does not have the ${algorithm} checksum ${value}, also when it is downloaded again`;
    throw new AgnesError("source_answer_invalid", { reason, url });
  }

  async #matches(spool: SpoolFile): Promise<boolean> {
    const checksum = this.#checksum!;
    return checksumBytes(checksum).equals(await fileChecksum(spool.path, checksum.algorithm));
  }

  /** Waits until the next attempt, or throws when there is none. */
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
    if (isRefused && typeof this.#file.url === "function" && !this.#isRejected && this.#url !== null) {
      this.#isRejected = true;
      this.#url = null;
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
    log.warn(`${error.message}; resuming`, { sizeBytes, waitMs: Math.round(waitMs) });
    await host.sleep(waitMs, signal);
  }
}

function wrongSize({ url, status }: HttpAnswer, sizeBytes: number, expectedBytes: number): AgnesError {
  const reason = `the content of ${url} has ${counted(sizeBytes, "byte")} or more, not ${expectedBytes}`;
  return new AgnesError("source_answer_invalid", { reason, url, status });
}
