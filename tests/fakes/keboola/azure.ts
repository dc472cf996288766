import { CloudObjects, xmlError, type CloudOptions, type CloudRequest, type KeboolaCloud } from "./cloud.ts";
import { LINK_SECONDS } from "./cloud.ts";
import { containerSas, EMULATOR_ACCOUNT, type AzuriteBlobs } from "../azurite-blobs.ts";

const CONTAINER = "exp-15-files-8625";
const SAS_HOURS = 12;

/** Where blobs are kept. */
export interface AzureOptions extends CloudOptions {
  /** A real blob service. Default: blobs in memory at the public address of an account. */
  readonly azurite?: AzuriteBlobs | undefined;
  readonly scheme: "azure" | "https";
}

interface Grant {
  readonly query: string;
  readonly permissions: string;
  expiresAt: Date;
}

/**
 * Azure Blob Storage. A shared access signature must be one that was given, unchanged; Azurite also verifies it.
 *
 * Faithful to: `SASConnectionString` with BlobEndpoint and SharedAccessSignature, read-only for downloads; the manifest is
 * the blob `<name>manifest`; PUT needs `x-ms-blob-type: BlockBlob`; 403 AuthenticationFailed for an expired signature.
 */
export function azureCloud(options: AzureOptions): KeboolaCloud {
  const { azurite } = options;
  const account = azurite === undefined ? "kbcfshtest" : EMULATOR_ACCOUNT;
  const endpoint = azurite?.endpoint ?? `https://${account}.blob.core.windows.net`;
  // Azurite has a clock of its own.
  const now = azurite === undefined ? options.now : () => new Date();
  const objects = new CloudObjects(options);
  const grants = new Map<string, Grant>();
  const grant = (permissions: string, seconds: number): string => {
    // The number makes each signature differ.
    const startsAt = new Date(now().getTime() - 60_000 - grants.size * 1000);
    const expiresAt = new Date(now().getTime() + seconds * 1000);
    const query = containerSas({ account, container: CONTAINER, permissions, startsAt, expiresAt });
    grants.set(new URLSearchParams(query).get("sig")!, { query, permissions, expiresAt });
    return query;
  };
  const connection = (permissions: string) => {
    const signature = grant(permissions, SAS_HOURS * 3600);
    return {
      SASConnectionString: `BlobEndpoint=${endpoint};SharedAccessSignature=${signature}`,
      expiration: new Date(now().getTime() + SAS_HOURS * 3_600_000).toISOString(),
    };
  };
  const base = `${endpoint}/${CONTAINER}/`;
  const keyOf = (url: URL) => {
    const address = `${url.origin}${url.pathname}`;
    return address.startsWith(base) ? decodeURIComponent(address.slice(base.length)) : null;
  };

  const respond = async (request: CloudRequest): Promise<Response> => {
    const { method, url, headers } = request;
    const found = grants.get(url.searchParams.get("sig") ?? "");
    const isSame = found !== undefined && isSubset(found.query, url.searchParams);
    if (!isSame) return xmlError(403, "AuthenticationFailed", "Signature did not match.");
    if (found.expiresAt <= now())
      return xmlError(403, "AuthenticationFailed", "Signature not valid in the specified time frame");
    const key = keyOf(url);
    if (key === null) return xmlError(404, "ContainerNotFound", "The specified container does not exist.");
    if (!found.permissions.includes(method === "PUT" ? "w" : "r"))
      return xmlError(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation.",
      );
    if (azurite !== undefined) return azurite.send(request);
    if (method === "PUT") {
      if (headers.get("x-ms-blob-type") !== "BlockBlob")
        return xmlError(
          400,
          "MissingRequiredHeader",
          "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type",
        );
      objects.write(key, request.body);
      return new Response(null, { status: 201 });
    }
    return objects.respond(key, request, () =>
      xmlError(404, "BlobNotFound", "The specified blob does not exist."),
    );
  };

  return {
    provider: "azure",
    serves: ({ origin, hostname }) =>
      origin === new URL(endpoint).origin || hostname.endsWith(".blob.core.windows.net"),
    keyOf,
    async write(key, content) {
      if (azurite === undefined) return objects.write(key, content);
      const bytes = typeof content === "function" ? await content() : content;
      await azurite.write(CONTAINER, key, bytes);
    },
    read: (key) => (azurite === undefined ? objects.read(key) : azurite.read(CONTAINER, key)),
    entryUrl: (key) => `${options.scheme}://${account}.blob.core.windows.net/${CONTAINER}/${key}`,
    signedUrl: (key) =>
      `${base}${key.split("/").map(encodeURIComponent).join("/")}?${grant("rl", LINK_SECONDS)}`,
    downloadFields: (key) => ({
      absPath: { container: CONTAINER, name: key, accountName: account },
      absCredentials: connection("rl"),
    }),
    uploadFields: (key) => ({
      absUploadParams: {
        blobName: key,
        accountName: account,
        container: CONTAINER,
        absCredentials: connection("rwl"),
      },
    }),
    respond,
    expire() {
      for (const one of grants.values()) one.expiresAt = new Date(0);
    },
  };
}

/** Whether an address carries all parameters of a signature, unchanged. */
function isSubset(query: string, sent: URLSearchParams): boolean {
  return [...new URLSearchParams(query)].every(([name, value]) => sent.get(name) === value);
}
