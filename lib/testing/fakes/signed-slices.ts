import { createHash } from "node:crypto";

import { createHost, type Host } from "../../base/mod.ts";
import { respondWithFile, type StoredFile } from "./byte-range.ts";
import type { FakeRequest, FakeRoute } from "./fake-server.ts";

/** The files of a cloud storage, and when links to them expire. */
export interface SignedSlicesOptions {
  /** Contents by name; a name may contain `/`. Default: none; see `SignedSlices.write`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** The origin of the storage. Default: `https://storage.example.net`. */
  readonly origin?: string;
  /** The lifetime of a link in milliseconds. Default: until `expire`. */
  readonly lifetimeMs?: number;
  /** The number of requests that one link accepts. Default: no limit. */
  readonly maxUses?: number;
  /** Whether the storage supports Range. Default: `true`. */
  readonly ranges?: boolean;
  /** The clock of links and of Last-Modified. Default: the real one. */
  readonly clock?: Pick<Host, "now">;
}

/** A signed link to a file. */
export interface SignedSlice {
  readonly name: string;
  readonly url: string;
  readonly sizeBytes: number;
  /** The MD5 checksum of the content, in base64. */
  readonly md5: string;
}

/** A cloud storage with signed links. */
export interface SignedSlices {
  /** The route of the storage, for `fakeServer`. */
  readonly routes: Readonly<Record<string, FakeRoute>>;
  /** Returns new links to all files whose name begins with `prefix`, in the order in which they were written. */
  list(prefix?: string): readonly SignedSlice[];
  /** Creates or replaces a file. It gets a new ETag and Last-Modified. Default: with the same content. */
  write(name: string, content?: string | Uint8Array): void;
  /** Expires all links returned so far. */
  expire(): void;
  /** The requests for files, in order. */
  readonly requests: readonly {
    readonly name: string;
    readonly range: string | null;
    readonly status: number;
  }[];
}

/**
 * Creates a cloud storage whose files are read by signed links that expire.
 *
 * Faithful to S3, Azure Blob Storage and Google Cloud Storage: the link carries its credential in the query, an expired
 * link gets 403, and a request with an Authorization header gets 400 (S3). Range, If-Range, If-None-Match, ETag and 416
 * are those of RFC 9110. Only GET.
 *
 * @example
 * ```ts
 * import { fakeServer, signedSlices } from "agnes/testing";
 * const slices = signedSlices({ files: { "7/0.csv": "id\n1\n", "7/1.csv": "id\n2\n" }, maxUses: 1 });
 * const server = fakeServer({
 *   "GET /exports/:id": ({ params }) => Response.json({ slices: slices.list(`${params["id"]}/`) }),
 *   ...slices.routes,
 * });
 * const [slice] = slices.list("7/");
 * await server.fetch(slice!.url); // 200
 * await server.fetch(slice!.url); // 403
 * ```
 */
export function signedSlices(options: SignedSlicesOptions = {}): SignedSlices {
  const { origin = "https://storage.example.net", lifetimeMs = Infinity, maxUses = Infinity } = options;
  const { ranges = true, clock = createHost() } = options;
  const files = new Map<string, StoredFile>();
  const links = new Map<string, { readonly name: string; readonly atMs: number; uses: number }>();
  const requests: { name: string; range: string | null; status: number }[] = [];
  let versions = 0;
  let signatures = 0;
  const write = (name: string, content: string | Uint8Array = files.get(name)?.content ?? "") => {
    versions += 1;
    files.set(name, { content: Buffer.from(content), etag: `"v${versions}"`, modifiedAt: clock.now() });
  };
  for (const [name, content] of Object.entries(options.files ?? {})) write(name, content);

  const respond = ({ url, headers }: FakeRequest, name: string): Response => {
    if (headers.has("authorization"))
      return refuse(400, "InvalidArgument", "only one authentication mechanism is allowed");
    const link = links.get(url.searchParams.get("signature") ?? "");
    if (link?.name !== name) return refuse(403, "SignatureDoesNotMatch", "the signature is wrong");
    if (link.uses >= maxUses || clock.now().getTime() - link.atMs >= lifetimeMs)
      return refuse(403, "AccessDenied", "Request has expired");
    link.uses += 1;
    const file = files.get(name);
    if (file === undefined) return refuse(404, "NoSuchKey", "the file does not exist");
    return respondWithFile(file, headers, { ranges, now: clock.now() });
  };

  return {
    requests,
    write,
    routes: {
      [`GET ${origin}/*`]: (request) => {
        const name = request.params["*"]!;
        const response = respond(request, name);
        requests.push({ name, range: request.headers.get("range"), status: response.status });
        return response;
      },
    },
    list: (prefix = "") =>
      [...files].flatMap(([name, { content }]) => {
        if (!name.startsWith(prefix)) return [];
        signatures += 1;
        const signature = createHash("sha256").update(`link ${signatures}`).digest("base64url");
        links.set(signature, { name, atMs: clock.now().getTime(), uses: 0 });
        const url = `${origin}/${name.split("/").map(encodeURIComponent).join("/")}?signature=${signature}`;
        const md5 = createHash("md5").update(content).digest("base64");
        return [{ name, url, sizeBytes: content.length, md5 }];
      }),
    expire() {
      // The links stay known: an expired link has another error than a wrong one.
      for (const link of links.values()) link.uses = Infinity;
    },
  };
}

function refuse(status: number, code: string, message: string): Response {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}
