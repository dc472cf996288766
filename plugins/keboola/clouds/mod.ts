import { errors } from "../errors.ts";
import type { StorageFile } from "../api/schemas.ts";
import { azureFiles } from "./azure.ts";
import type { CloudFiles } from "./cloud-files.ts";
import { gcsFiles } from "./gcs.ts";
import { s3Files } from "./s3.ts";

export type { CloudAddress, CloudFiles } from "./cloud-files.ts";
export { cloudUpload, type CloudUpload } from "./uploads.ts";

/** The files of an export in the cloud of its stack. */
export function cloudFiles(
  file: StorageFile,
  { table, now }: { readonly table: string; readonly now: () => Date },
): CloudFiles {
  const cloud =
    s3Files(file, { table, now }) ?? azureFiles(file, { table }) ?? gcsFiles(file, { table, now: now() });
  return withSigned(cloud, file, table);
}

/** Entries may also be complete addresses: signed ones, or, in Azure, addresses that still need the signature. */
function withSigned(cloud: CloudFiles | null, file: StorageFile, table: string): CloudFiles {
  const isAzure = (file.absCredentials ?? null) !== null;
  return {
    expiresAt: cloud?.expiresAt ?? null,
    manifest: async () => (cloud === null ? { url: file.url } : cloud.manifest()),
    async slice(entry) {
      const isPlain = /^https?:\/\//.test(entry);
      if (isPlain && !(isAzure && !new URL(entry).searchParams.has("sig"))) return { url: entry };
      if (cloud === null)
        throw errors.file_untrusted({ table, reason: "the stack returned no credentials for its address" });
      return cloud.slice(entry);
    },
  };
}
