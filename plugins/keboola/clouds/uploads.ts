import { Secret } from "agnes/kit";

import type { PreparedFile } from "../api/schemas.ts";
import { connectionOf } from "./azure.ts";
import type { CloudAddress } from "./cloud-files.ts";
import { s3Signer } from "./s3.ts";

/** Where the parts of one file are uploaded, with the credentials of one answer of the stack. */
export interface CloudUpload {
  /** The address to PUT an object to. `suffix` follows the key of the file. */
  address(suffix: string): Promise<CloudAddress>;
  /** The address of an object in the list of slices. */
  entry(suffix: string): string;
}

/** The cloud that takes the parts of a file; null if the stack names none that is known. */
export function cloudUpload(file: PreparedFile, now: () => Date): CloudUpload | null {
  return s3Upload(file, now) ?? azureUpload(file) ?? gcsUpload(file);
}

function s3Upload({ uploadParams, region }: PreparedFile, now: () => Date): CloudUpload | null {
  if (uploadParams === null || uploadParams === undefined) return null;
  const { bucket, key, credentials } = uploadParams;
  const sign = s3Signer(credentials, region, now);
  return {
    address: async (suffix) => ({ url: await sign("PUT", bucket, `${key}${suffix}`) }),
    entry: (suffix) => `s3://${bucket}/${key}${suffix}`,
  };
}

/** `url` of the file has a signature too, but that one is for reading only. */
function azureUpload({ absUploadParams }: PreparedFile): CloudUpload | null {
  if (absUploadParams === null || absUploadParams === undefined) return null;
  const { container, blobName, accountName, absCredentials } = absUploadParams;
  const connection = connectionOf(absCredentials.SASConnectionString);
  if (connection === null) return null;
  const { endpoint, signature } = connection;
  const base = `${endpoint.origin}${endpoint.pathname.replace(/\/+$/, "")}`;
  return {
    async address(suffix) {
      const path = [container, ...`${blobName}${suffix}`.split("/")].map(encodeURIComponent).join("/");
      return { url: `${base}/${path}?${signature}`, headers: { "x-ms-blob-type": "BlockBlob" } };
    },
    entry: (suffix) => `azure://${accountName}.blob.core.windows.net/${container}/${blobName}${suffix}`,
  };
}

function gcsUpload({ gcsUploadParams }: PreparedFile): CloudUpload | null {
  if (gcsUploadParams === null || gcsUploadParams === undefined) return null;
  const { bucket, key, access_token: token } = gcsUploadParams;
  const authorization = new Secret("gcs", `Bearer ${token}`);
  return {
    async address(suffix) {
      const path = [bucket, ...`${key}${suffix}`.split("/")].map(encodeURIComponent).join("/");
      return { url: `https://storage.googleapis.com/${path}`, headers: { authorization } };
    },
    entry: (suffix) => `gs://${bucket}/${key}${suffix}`,
  };
}
