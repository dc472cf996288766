import {
  CloudObjects,
  LINK_SECONDS,
  secretOf,
  xmlError,
  type CloudOptions,
  type CloudRequest,
  type KeboolaCloud,
} from "./cloud.ts";
import { checkSignature, presign, type AwsCredentials } from "./sigv4.ts";

const BUCKET = "kbc-sapi-files";
export const AWS_REGION = "us-east-1";
// Federation credentials live 12 hours (blueprint, "File detail").
const SESSION_MS = 12 * 3_600_000;

/** What a session of a federated user may do, and until when. */
interface Session extends AwsCredentials {
  readonly prefix: string;
  readonly methods: readonly string[];
  expiresAt: Date;
}

/**
 * S3. Each request is verified by Signature Version 4, in headers or in the query.
 *
 * Faithful to: error codes and statuses of the S3 REST API; addresses in path and virtual-host style; the region is that of
 * the bucket; credentials are limited to the key of one file as a prefix (Keboola's federation tokens).
 */
export function awsCloud(options: CloudOptions): KeboolaCloud {
  const objects = new CloudObjects(options);
  const sessions = new Map<string, Session>();
  // The account of the vendor, which signs links.
  const vendor: Session = {
    accessKeyId: "AKIAVENDOR0000000000",
    secretAccessKey: secretOf("vendor"),
    prefix: "",
    methods: ["GET", "HEAD"],
    expiresAt: new Date(8.64e15),
  };
  let links = 0;
  let expiredLinks = 0;
  const open = (prefix: string, methods: readonly string[]): Session => {
    const number = sessions.size + 1;
    const session: Session = {
      accessKeyId: `ASIA${String(number).padStart(16, "0")}`,
      // With the characters that need care in headers and queries.
      secretAccessKey: `${secretOf("aws", number)}+/=`,
      sessionToken: `${secretOf("session", number)}/+==`,
      prefix,
      methods,
      expiresAt: new Date(options.now().getTime() + SESSION_MS),
    };
    sessions.set(session.accessKeyId, session);
    return session;
  };
  const keyOf = (url: URL) => {
    const path = decodeURIComponent(url.pathname.slice(1));
    const isPathStyle = /^s3([.-][a-z0-9-]+)?\.amazonaws\.com$/.test(url.hostname);
    if (!isPathStyle) return path;
    return path.startsWith(`${BUCKET}/`) ? path.slice(BUCKET.length + 1) : null;
  };

  const respond = async (request: CloudRequest): Promise<Response> => {
    const { method, url } = request;
    const find = (id: string) => (id === vendor.accessKeyId ? vendor : sessions.get(id));
    const refusal = checkSignature(request, find, { now: options.now(), region: AWS_REGION });
    if (refusal !== null) return xmlError(refusal.status, refusal.code, refusal.message);
    const link = url.searchParams.get("x-kbc-link");
    if (link !== null && Number(link) <= expiredLinks)
      return xmlError(403, "AccessDenied", "Request has expired");
    const session = find(accessKeyIdOf(request))!;
    if (session.expiresAt <= options.now())
      return xmlError(400, "ExpiredToken", "The provided token has expired.");
    const key = keyOf(url);
    if (key === null) return xmlError(404, "NoSuchBucket", "The specified bucket does not exist");
    if (!key.startsWith(session.prefix) || !session.methods.includes(method))
      return xmlError(403, "AccessDenied", "Access Denied");
    if (method === "PUT") {
      objects.write(key, request.body);
      return new Response(null);
    }
    return objects.respond(key, request, () =>
      xmlError(404, "NoSuchKey", "The specified key does not exist."),
    );
  };

  return {
    provider: "aws",
    serves: ({ hostname }) =>
      hostname === "s3.amazonaws.com" || /(^|\.)s3[.-].*amazonaws\.com$/.test(hostname),
    keyOf,
    write: async (key, content) => objects.write(key, content),
    read: (key) => objects.read(key),
    entryUrl: (key) => `s3://${BUCKET}/${key}`,
    signedUrl(key) {
      links += 1;
      const url = new URL(
        `https://s3.amazonaws.com/${BUCKET}/${key.split("/").map(encodeURIComponent).join("/")}`,
      );
      url.searchParams.set("x-kbc-link", String(links));
      return presign(url, vendor, { now: options.now(), region: AWS_REGION, expiresSeconds: LINK_SECONDS });
    },
    downloadFields: (key) => ({
      s3Path: { bucket: BUCKET, key },
      credentials: credentialsOf(open(key, ["GET", "HEAD"])),
    }),
    uploadFields: (key) => ({
      uploadParams: { key, bucket: BUCKET, acl: "private", credentials: credentialsOf(open(key, ["PUT"])) },
    }),
    respond,
    expire() {
      expiredLinks = links;
      for (const session of sessions.values()) session.expiresAt = new Date(0);
    },
  };
}

function credentialsOf({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiresAt,
}: Session): Readonly<Record<string, unknown>> {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: `${expiresAt.toISOString().slice(0, 19)}+00:00`,
  };
}

function accessKeyIdOf({ url, headers }: CloudRequest): string {
  const query = url.searchParams.get("X-Amz-Credential");
  const header = /Credential=([^,\s]+)/.exec(headers.get("authorization") ?? "")?.[1];
  return (query ?? header ?? "").split("/")[0]!;
}
