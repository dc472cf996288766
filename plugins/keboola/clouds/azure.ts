import { errors } from "../errors.ts";
import { dateOf } from "../dates.ts";
import type { StorageFile } from "../api/schemas.ts";
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
      const [, scheme, host, path] = /^(azure|https?):\/\/([^/]+)(\/.*)$/s.exec(entry) ?? [];
      if (host === undefined || path === undefined) throw untrusted("its address has no host or no path");
      // Only complete addresses are encoded.
      const encoded = scheme === "azure" ? path.split("/").map(encodeURIComponent).join("/") : path;
      if (host === endpoint.host) return signed(encoded);
      if (accountOf(new URL(`https://${host}`)) !== accountOf(endpoint))
        throw untrusted(`it is at ${host}, not at ${endpoint.host}`);
      return signed(`${endpoint.pathname.replace(/\/+$/, "")}${encoded}`);
    },
  };
}

/** The storage account: the first part of the host, or of the path of an emulator. */
function accountOf({ hostname, pathname }: URL): string {
  return pathname.split("/")[1] || hostname.split(".")[0]!;
}

/** The endpoint and the shared access signature of a connection string; null if it lacks one of them. */
export function connectionOf(text: string): { readonly endpoint: URL; readonly signature: string } | null {
  const [, endpoint] = /(?:^|;)BlobEndpoint=([^;]+)/i.exec(text) ?? [];
  // The signature itself contains no semicolon.
  const [, signature] = /(?:^|;)SharedAccessSignature=\??([^;]+)/i.exec(text) ?? [];
  if (endpoint === undefined || signature === undefined || !URL.canParse(endpoint)) return null;
  return { endpoint: new URL(endpoint), signature };
}
