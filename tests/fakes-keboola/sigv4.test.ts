import { describe, expect, test } from "bun:test";
import { S3Client } from "bun";

import { checkSignature, presign, type SignedRequest } from "../fakes/keboola/sigv4.ts";

// The examples of AWS's documentation of Signature Version 4 for S3.
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const now = new Date("2013-05-24T00:00:00Z");
const region = "us-east-1";
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";

function example(
  url: string,
  signature: string,
  headers: Readonly<Record<string, string>> = {},
): SignedRequest {
  const signed = ["host", ...Object.keys(headers), "x-amz-content-sha256", "x-amz-date"].toSorted().join(";");
  return {
    method: "GET",
    url: new URL(url),
    headers: new Headers({
      ...headers,
      "x-amz-content-sha256": EMPTY,
      "x-amz-date": "20130524T000000Z",
      authorization: `AWS4-HMAC-SHA256 Credential=${SCOPE},SignedHeaders=${signed},Signature=${signature}`,
    }),
    body: new Uint8Array(),
  };
}

const get = example(
  "https://examplebucket.s3.amazonaws.com/test.txt",
  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  { range: "bytes=0-9" },
);

function check(request: SignedRequest, time = now, known = credentials) {
  return checkSignature(request, (id) => (id === known.accessKeyId ? known : undefined), {
    now: time,
    region,
  });
}

describe("checkSignature()", () => {
  test("accepts the documented GET with a range, and refuses it with another range, key or time", () => {
    expect(check(get)).toBeNull();
    const other = new Headers(get.headers);
    other.set("range", "bytes=0-8");
    expect(check({ ...get, headers: other })?.code).toBe("SignatureDoesNotMatch");
    expect(check({ ...get, url: new URL("https://examplebucket.s3.amazonaws.com/test2.txt") })?.code).toBe(
      "SignatureDoesNotMatch",
    );
    expect(check(get, new Date("2013-05-24T00:16:00Z"))?.code).toBe("RequestTimeTooSkewed");
    expect(check(get, now, { ...credentials, accessKeyId: "AKIAOTHER" })?.code).toBe("InvalidAccessKeyId");
  });

  test("accepts the documented GET of bucket lifecycle and of a list of objects", () => {
    const lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    expect(check(example("https://examplebucket.s3.amazonaws.com/?lifecycle", lifecycle))).toBeNull();
    const list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    expect(check(example("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", list))).toBeNull();
  });

  test("accepts the documented link until it expires", () => {
    const link = `https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(SCOPE)}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`;
    const request = { method: "GET", url: new URL(link), headers: new Headers(), body: new Uint8Array() };
    expect(check(request)).toBeNull();
    expect(check(request, new Date("2013-05-25T00:00:00Z"))?.message).toBe("Request has expired");
    expect(check({ ...request, url: new URL(link.replace("86400", "86401")) })?.code).toBe(
      "SignatureDoesNotMatch",
    );
  });

  test("accepts links of Bun's S3 client with a session token and a key that must be encoded", () => {
    const session = { ...credentials, sessionToken: "token/+==" };
    const client = new S3Client({
      ...session,
      bucket: "examplebucket",
      region,
      endpoint: `https://s3.${region}.amazonaws.com`,
    });
    const url = new URL(client.presign("a b/ä+(1)=x'.csv", { expiresIn: 60 }));
    const request = { method: "GET", url, headers: new Headers(), body: new Uint8Array() };
    expect(check(request, new Date(), session)).toBeNull();
    expect(check(request, new Date(), credentials)?.code).toBe("InvalidToken");
  });

  test("accepts what presign() signs, and refuses headers that are not signed", () => {
    const options = { now, region, expiresSeconds: 60 };
    const url = new URL(presign(new URL("https://s3.amazonaws.com/b/a%20b"), credentials, options));
    const request = { method: "GET", url, headers: new Headers(), body: new Uint8Array() };
    expect(check(request)).toBeNull();
    const headers = new Headers({ "x-amz-acl": "public-read" });
    expect(check({ ...request, headers })?.code).toBe("AccessDenied");
  });

  test("refuses a body that differs from its hash, and a request without one", () => {
    expect(check({ ...get, body: Buffer.from("x") })?.code).toBe("XAmzContentSHA256Mismatch");
    const headers = new Headers(get.headers);
    headers.delete("x-amz-content-sha256");
    expect(check({ ...get, headers })).toMatchObject({ status: 400, code: "InvalidRequest" });
  });
});
