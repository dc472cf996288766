import { errors } from "../errors.ts";
import { dateOf } from "../dates.ts";
import type { StorageFile } from "../schemas.ts";
import type { CloudFiles } from "./cloud-files.ts";

/** Blobs in Azure: `azure://account.blob.core.windows.net/container/blob`, with a shared access signature. */
export function azureFiles(
  { absPath, absCredentials }: StorageFile,
  { table }: { readonly table: string },
): CloudFiles | null {
  if (absCredentials === null || absCredentials === undefined) return null;
  const untrusted = (reason: string) => errors.file_untrusted({ table, reason });
  const { endpoint, signature } = connectionOf(absCredentials.SASConnectionString) ?? {};
  if (endpoint === undefined || signature === undefined)
    throw untrusted("its connection string has no endpoint or no signature");
  const signed = (path: string) => ({ url: `${endpoint.origin}${path}?${signature}` });
  return {
    expiresAt: dateOf(absCredentials.expiration),
    async manifest() {
      if (absPath === null || absPath === undefined) throw untrusted("it has no place in its container");
      const blob = [absPath.container, ...`${absPath.name}manifest`.split("/")].map(encodeURIComponent);
      return signed(`${endpoint.pathname.replace(/\/+$/, "")}/${blob.join("/")}`);
    },
    async slice(entry) {
      const address = entry.replace(/^azure:\/\//, "https://");
      if (!URL.canParse(address)) throw untrusted("its address is not a URL");
      const { host, pathname } = new URL(address);
      if (host !== endpoint.host) throw untrusted(`it is at ${host}, not at ${endpoint.host}`);
      return signed(pathname);
    },
  };
}

function connectionOf(text: string): { readonly endpoint: URL; readonly signature: string } | null {
  const [, endpoint] = /(?:^|;)BlobEndpoint=([^;]+)/i.exec(text) ?? [];
  // The signature itself contains no semicolon.
  const [, signature] = /(?:^|;)SharedAccessSignature=\??([^;]+)/i.exec(text) ?? [];
  if (endpoint === undefined || signature === undefined || !URL.canParse(endpoint)) return null;
  return { endpoint: new URL(endpoint), signature };
}
