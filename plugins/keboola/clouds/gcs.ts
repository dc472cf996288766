import { Secret } from "agnes/kit";

import { errors } from "../errors.ts";
import type { StorageFile } from "../api/schemas.ts";
import type { CloudFiles } from "./cloud-files.ts";

/** Files in Google Cloud Storage: `gs://bucket/object`, with a bearer token. */
export function gcsFiles(
  { url, gcsPath, gcsCredentials }: StorageFile,
  { table, now }: { readonly table: string; readonly now: Date },
): CloudFiles | null {
  if (gcsCredentials === null || gcsCredentials === undefined) return null;
  const { access_token: token, expires_in: seconds } = gcsCredentials;
  const authorization = new Secret("gcs", `Bearer ${token}`);
  return {
    expiresAt: seconds === undefined ? null : new Date(now.getTime() + seconds * 1000),
    // It is signed itself.
    manifest: async () => ({ url }),
    async slice(entry) {
      const [, bucket, object] = /^gs:\/\/([^/]+)\/(.+)$/s.exec(entry) ?? [];
      if (bucket === undefined || object === undefined)
        throw errors.file_untrusted({ table, reason: "its address is not like gs://bucket/object" });
      if (bucket !== gcsPath?.bucket)
        throw errors.file_untrusted({
          table,
          reason: `it is in bucket ${bucket}, not in that of the export`,
        });
      const place = `${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}`;
      const address = `https://storage.googleapis.com/storage/v1/b/${place}?alt=media`;
      return { url: address, headers: { authorization } };
    },
  };
}
