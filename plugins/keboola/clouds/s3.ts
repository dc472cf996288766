import { AwsClient } from "aws4fetch";

import { dateOf } from "../dates.ts";
import { errors } from "../errors.ts";
import type { StorageFile } from "../api/schemas.ts";
import type { CloudFiles } from "./cloud-files.ts";

const REGION_DEFAULT = "us-east-1";
/** How long a signed address is valid. The credentials that sign it live 12 hours. */
const EXPIRES_SECONDS = 3600;

/** Objects in S3: `s3://bucket/key`, by addresses that the credentials of the export sign. */
export function s3Files(
  { url, region, s3Path, credentials }: StorageFile,
  { table, now }: { readonly table: string; readonly now: () => Date },
): CloudFiles | null {
  if (credentials === null || credentials === undefined) return null;
  const sign = s3Signer(credentials, region, now);
  return {
    expiresAt: dateOf(credentials.Expiration),
    // It is signed itself.
    manifest: async () => ({ url }),
    async slice(entry) {
      const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(entry) ?? [];
      if (bucket === undefined || key === undefined)
        throw errors.file_untrusted({ table, reason: "its address is not like s3://bucket/key" });
      if (bucket !== s3Path?.bucket)
        throw errors.file_untrusted({
          table,
          reason: `it is in bucket ${bucket}, not in that of the export`,
        });
      return { url: await sign("GET", bucket, key) };
    },
  };
}

/** Returns a function that signs the address of an object for one method. */
export function s3Signer(
  { AccessKeyId, SecretAccessKey, SessionToken }: NonNullable<StorageFile["credentials"]>,
  region: string | null | undefined,
  now: () => Date,
): (method: "GET" | "PUT", bucket: string, key: string) => Promise<string> {
  const client = new AwsClient({
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
    service: "s3",
    region: region ?? REGION_DEFAULT,
  });
  return async (method, bucket, key) => {
    const address = objectUrl(bucket, key, region ?? REGION_DEFAULT);
    address.searchParams.set("X-Amz-Expires", String(EXPIRES_SECONDS));
    const datetime = now()
      .toISOString()
      .replaceAll(/[:-]|\.\d{3}/g, "");
    return (await client.sign(address.href, { method, aws: { signQuery: true, datetime } })).url;
  };
}

function objectUrl(bucket: string, key: string, region: string): URL {
  const host = `s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
  const path = key.split("/").map(encodeURIComponent).join("/");
  // The certificate does not cover a host name with further dots.
  return new URL(
    bucket.includes(".") ? `https://${host}/${bucket}/${path}` : `https://${bucket}.${host}/${path}`,
  );
}
