import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Credentials of an AWS account or of a federated session. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A request as S3 receives it. */
export interface SignedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Why S3 refuses a request: its status, code and message. */
export interface S3Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SKEW_MAX_MS = 15 * 60_000;

/**
 * Checks the signature of a request by AWS's description of Signature Version 4, in headers or in the query; returns
 * null if it is right.
 *
 * Written from the documentation ("Authenticating Requests: Using the Authorization Header" and "Using Query Parameters"),
 * not from a client, and checked by the examples there.
 */
export function checkSignature(
  request: SignedRequest,
  find: (accessKeyId: string) => AwsCredentials | undefined,
  { now, region }: { readonly now: Date; readonly region: string },
): S3Refusal | null {
  const isQuery = request.url.searchParams.has("X-Amz-Signature");
  const parts = isQuery ? fromQuery(request.url) : fromHeaders(request.headers);
  if ("status" in parts) return parts;
  const [accessKeyId, day, scopeRegion, service, end] = parts.credential.split("/");
  const credentials = find(accessKeyId!);
  if (credentials === undefined)
    return refuse(
      403,
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
    );
  if (day !== parts.date.slice(0, 8) || scopeRegion !== region || service !== "s3" || end !== "aws4_request")
    return refuse(
      400,
      "AuthorizationHeaderMalformed",
      `The authorization header is malformed; the credential scope is wrong; expecting ${region}`,
    );
  if ((credentials.sessionToken ?? "") !== parts.token)
    return refuse(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
  const unsigned = unsignedHeader(request.headers, parts.signedHeaders);
  if (unsigned !== undefined)
    return refuse(
      403,
      "AccessDenied",
      `There were headers present in the request which were not signed: ${unsigned}`,
    );
  const time = parseAmzDate(parts.date);
  if (time === null) return refuse(403, "AccessDenied", "X-Amz-Date must be in the format yyyyMMddTHHmmssZ");
  const ageMs = now.getTime() - time.getTime();
  if (isQuery ? ageMs >= parts.expiresMs || ageMs < -SKEW_MAX_MS : Math.abs(ageMs) > SKEW_MAX_MS)
    return isQuery
      ? refuse(403, "AccessDenied", "Request has expired")
      : refuse(
          403,
          "RequestTimeTooSkewed",
          "The difference between the request time and the current time is too large.",
        );
  const payload = payloadHash(request, isQuery);
  if (typeof payload !== "string") return payload;
  const expected = signatureOf(
    request,
    parts,
    payload,
    credentials.secretAccessKey,
    [day, region, service, end].join("/"),
  );
  const isSame =
    expected.length === parts.signature.length &&
    timingSafeEqual(Buffer.from(expected), Buffer.from(parts.signature));
  return isSame
    ? null
    : refuse(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
      );
}

/** Presigns a GET, as the API does for its links. */
export function presign(
  url: URL,
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  {
    now,
    region,
    expiresSeconds,
  }: { readonly now: Date; readonly region: string; readonly expiresSeconds: number },
): string {
  const date = amzDate(now);
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const signed = new URL(url);
  const query: Readonly<Record<string, string>> = {
    "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${accessKeyId}/${scope}`,
    "X-Amz-Date": date,
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Expires": String(expiresSeconds),
    ...(sessionToken === undefined ? {} : { "X-Amz-Security-Token": sessionToken }),
  };
  for (const [name, value] of Object.entries(query)) signed.searchParams.set(name, value);
  const request = { method: "GET", url: signed, headers: new Headers(), body: new Uint8Array() };
  const parts = { signedHeaders: ["host"], date };
  const signature = signatureOf(request, parts, "UNSIGNED-PAYLOAD", secretAccessKey, scope);
  signed.searchParams.set("X-Amz-Signature", signature);
  return signed.href;
}

interface SignatureParts {
  readonly credential: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly date: string;
  readonly token: string;
  readonly expiresMs: number;
}

function fromHeaders(headers: Headers): SignatureParts | S3Refusal {
  const header = headers.get("authorization");
  if (header === null) return refuse(403, "AccessDenied", "Access Denied");
  const parts =
    /^AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (parts === null)
    return refuse(
      400,
      "AuthorizationHeaderMalformed",
      "The authorization header that you provided is not valid.",
    );
  const signedHeaders = parts[2]!.split(";");
  if (signedHeaders.join(";") !== [...signedHeaders].sort().join(";"))
    return refuse(403, "SignatureDoesNotMatch", "The signed headers are not in order.");
  return {
    credential: parts[1]!,
    signedHeaders,
    signature: parts[3]!,
    date: headers.get("x-amz-date") ?? "",
    token: headers.get("x-amz-security-token") ?? "",
    expiresMs: 0,
  };
}

function fromQuery({ searchParams }: URL): SignatureParts | S3Refusal {
  const value = (name: string) => searchParams.get(`X-Amz-${name}`) ?? "";
  const expires = Number(value("Expires"));
  if (value("Algorithm") !== ALGORITHM || !Number.isSafeInteger(expires) || expires < 1 || expires > 604_800)
    return refuse(
      400,
      "AuthorizationQueryParametersError",
      "The query parameters of the signature are not valid.",
    );
  return {
    credential: value("Credential"),
    signedHeaders: value("SignedHeaders").split(";"),
    signature: value("Signature"),
    date: value("Date"),
    token: value("Security-Token"),
    expiresMs: expires * 1000,
  };
}

/** All `x-amz-` headers and the host must be signed. */
function unsignedHeader(headers: Headers, signed: readonly string[]): string | undefined {
  const required = ["host", ...[...headers.keys()].filter((name) => name.startsWith("x-amz-"))];
  return required.find((name) => !signed.includes(name));
}

function payloadHash({ headers, body }: SignedRequest, isQuery: boolean): string | S3Refusal {
  const declared = headers.get("x-amz-content-sha256");
  if (declared === null)
    return isQuery
      ? "UNSIGNED-PAYLOAD"
      : refuse(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  if (declared === "UNSIGNED-PAYLOAD" || declared === sha256(body)) return declared;
  return refuse(
    400,
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  );
}

function signatureOf(
  { method, url, headers }: SignedRequest,
  { signedHeaders, date }: Pick<SignatureParts, "signedHeaders" | "date">,
  payload: string,
  secret: string,
  scope: string,
): string {
  const canonical = [
    method,
    url.pathname
      .split("/")
      .map((part) => encode(decodeURIComponent(part)))
      .join("/"),
    canonicalQuery(url),
    ...signedHeaders.map((name) => `${name}:${headerValue(name, headers, url)}`),
    "",
    signedHeaders.join(";"),
    payload,
  ].join("\n");
  const text = [ALGORITHM, date, scope, sha256(Buffer.from(canonical))].join("\n");
  const first: Uint8Array = Buffer.from(`AWS4${secret}`);
  const key = scope.split("/").reduce((bytes, part) => hmac(bytes, part), first);
  return Buffer.from(hmac(key, text)).toString("hex");
}

function headerValue(name: string, headers: Headers, url: URL): string {
  const value = name === "host" ? (headers.get("host") ?? url.host) : (headers.get(name) ?? "");
  return value.trim().replaceAll(/ +/g, " ");
}

function canonicalQuery({ searchParams }: URL): string {
  return [...searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function amzDate(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

function parseAmzDate(text: string): Date | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}

function refuse(status: number, code: string, message: string): S3Refusal {
  return { status, code, message };
}
