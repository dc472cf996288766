import { createHash } from "node:crypto";

import { respondWithFile } from "../../../lib/testing/fakes/byte-range.ts";

/** A request to a cloud. */
export interface CloudRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Bytes, or how to get them when they are read. */
export type CloudContent = Uint8Array | (() => Promise<Uint8Array> | Uint8Array);

/** A cloud that keeps files. */
export interface KeboolaCloud {
  /** What a file answer states as `provider`. */
  readonly provider: "aws" | "azure" | "gcp" | undefined;
  /** Whether an address is one of this cloud. */
  serves(url: URL): boolean;
  /** The key that an address means. */
  keyOf(url: URL): string | null;
  write(key: string, content: CloudContent): Promise<void>;
  read(key: string): Promise<Uint8Array | null>;
  /** The address of a slice in a manifest. */
  entryUrl(key: string): string;
  /** A link that lives one hour. */
  signedUrl(key: string): string;
  /** The parts of a file answer for reading with credentials of its own. */
  downloadFields(key: string): Readonly<Record<string, unknown>>;
  /** The parts of a file answer for uploading. */
  uploadFields(key: string): Readonly<Record<string, unknown>>;
  respond(request: CloudRequest): Promise<Response>;
  /** Expires all links and credentials given so far. */
  expire(): void;
}

/** What clouds are built from. */
export interface CloudOptions {
  readonly now: () => Date;
  readonly ranges: boolean;
}

/** The lifetime of a signed link: "a URL with one hour expiration" (blueprint, Group Files). */
export const LINK_SECONDS = 3600;

/** Objects in memory, read as RFC 9110 says. */
export class CloudObjects {
  readonly #objects = new Map<
    string,
    { readonly content: CloudContent; readonly modifiedAt: Date; readonly etag: string }
  >();
  #versions = 0;
  readonly #options: CloudOptions;

  constructor(options: CloudOptions) {
    this.#options = options;
  }

  write(key: string, content: CloudContent): void {
    this.#versions += 1;
    this.#objects.set(key, { content, modifiedAt: this.#options.now(), etag: `"v${this.#versions}"` });
  }

  async read(key: string): Promise<Uint8Array | null> {
    const content = this.#objects.get(key)?.content;
    return content === undefined ? null : typeof content === "function" ? content() : content;
  }

  /** Responds to GET and HEAD. */
  async respond(key: string, { method, headers }: CloudRequest, missing: () => Response): Promise<Response> {
    const content = await this.read(key);
    if (content === null) return missing();
    const { modifiedAt, etag } = this.#objects.get(key)!;
    const { ranges } = this.#options;
    const response = respondWithFile({ content, etag, modifiedAt }, headers, {
      ranges,
      now: this.#options.now(),
    });
    return method === "HEAD" ? new Response(null, response) : response;
  }
}

/** A secret that differs each time, and is the same in each run. */
export function secretOf(...parts: readonly (string | number)[]): string {
  return createHash("sha256").update(parts.join("/")).digest("base64url");
}

/** An error of S3, Azure or Google Cloud Storage in XML. */
export function xmlError(status: number, code: string, message: string): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}
