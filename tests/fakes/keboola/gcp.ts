import {
  CloudObjects,
  LINK_SECONDS,
  secretOf,
  xmlError,
  type CloudOptions,
  type CloudRequest,
  type KeboolaCloud,
} from "./cloud.ts";

const BUCKET = "kbc-ci-files-storage";
const HOST = "storage.googleapis.com";
const TOKEN_SECONDS = 3599;

interface Grant {
  readonly prefix: string;
  readonly canWrite: boolean;
  expiresAt: Date;
}

/**
 * Google Cloud Storage. Tokens and signed links are compared, not verified.
 *
 * Faithful to: the JSON API (`/storage/v1/b/<bucket>/o/<object>?alt=media`, the object as one encoded segment), the XML API
 * (`/<bucket>/<object>`), uploads by both; 401 for a wrong or expired token, 400 ExpiredToken for an expired link.
 */
export function gcpCloud(options: CloudOptions): KeboolaCloud {
  const objects = new CloudObjects(options);
  const grants = new Map<string, Grant>();
  const grant = (kind: string, seconds: number, rest: Pick<Grant, "prefix" | "canWrite">): string => {
    const secret = `${kind}${secretOf("gcp", grants.size)}`;
    grants.set(secret, { ...rest, expiresAt: new Date(options.now().getTime() + seconds * 1000) });
    return secret;
  };
  const tokenFields = (key: string, canWrite: boolean) => ({
    access_token: grant("ya29.", TOKEN_SECONDS, { prefix: key, canWrite }),
    expires_in: TOKEN_SECONDS,
    token_type: "Bearer",
  });

  const respond = async (request: CloudRequest): Promise<Response> => {
    const { method, url, headers } = request;
    const target = targetOf(url);
    const signature = url.searchParams.get("X-Goog-Signature");
    const bearer = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "")?.[1];
    const found = grants.get(signature ?? bearer ?? "");
    if (found === undefined)
      return signature === null
        ? jsonError(401, "Invalid Credentials")
        : xmlError(403, "SignatureDoesNotMatch", "Access denied.");
    if (found.expiresAt <= options.now())
      return signature === null
        ? jsonError(401, "Invalid Credentials")
        : xmlError(400, "ExpiredToken", "The provided token has expired.");
    if (target === null) return jsonError(404, "Not Found");
    const isWrite = method === "PUT" || method === "POST";
    if (!target.key.startsWith(found.prefix) || isWrite !== found.canWrite)
      return jsonError(403, "the token does not have access to the Google Cloud Storage object.");
    if (isWrite) {
      objects.write(target.key, request.body);
      return Response.json({ kind: "storage#object", name: target.key, bucket: BUCKET });
    }
    if (target.isDescription)
      return Response.json({ kind: "storage#object", name: target.key, bucket: BUCKET });
    return objects.respond(target.key, request, () =>
      jsonError(404, `No such object: ${BUCKET}/${target.key}`),
    );
  };

  return {
    provider: "gcp",
    serves: ({ hostname }) => hostname === HOST,
    keyOf: (url) => targetOf(url)?.key ?? null,
    write: async (key, content) => objects.write(key, content),
    read: (key) => objects.read(key),
    entryUrl: (key) => `gs://${BUCKET}/${key}`,
    signedUrl(key) {
      const url = new URL(`https://${HOST}/${BUCKET}/${key.split("/").map(encodeURIComponent).join("/")}`);
      url.searchParams.set("X-Goog-Algorithm", "GOOG4-RSA-SHA256");
      url.searchParams.set("X-Goog-Expires", String(LINK_SECONDS));
      url.searchParams.set("X-Goog-SignedHeaders", "host");
      url.searchParams.set("X-Goog-Signature", grant("", LINK_SECONDS, { prefix: key, canWrite: false }));
      return url.href;
    },
    downloadFields: (key) => ({
      gcsPath: { bucket: BUCKET, key },
      gcsCredentials: { projectId: "ci-connection", ...tokenFields(key, false) },
    }),
    uploadFields: (key) => ({
      gcsUploadParams: { projectId: "ci-connection", bucket: BUCKET, key, ...tokenFields(key, true) },
    }),
    respond,
    expire() {
      for (const one of grants.values()) one.expiresAt = new Date(0);
    },
  };
}

/** The object that an address means; `isDescription`: the JSON API without `alt=media`. */
function targetOf(url: URL): { readonly key: string; readonly isDescription: boolean } | null {
  const read = new RegExp(`^/(?:download/)?storage/v1/b/${BUCKET}/o/([^/]+)$`).exec(url.pathname)?.[1];
  if (read !== undefined)
    return { key: decodeURIComponent(read), isDescription: url.searchParams.get("alt") !== "media" };
  if (url.pathname === `/upload/storage/v1/b/${BUCKET}/o`)
    return { key: url.searchParams.get("name") ?? "", isDescription: false };
  const path = decodeURIComponent(url.pathname);
  return path.startsWith(`/${BUCKET}/`) ? { key: path.slice(BUCKET.length + 2), isDescription: false } : null;
}

function jsonError(code: number, message: string): Response {
  return Response.json(
    { error: { code, message, errors: [{ message, domain: "global" }] } },
    { status: code },
  );
}
