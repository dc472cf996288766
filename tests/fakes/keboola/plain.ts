import { awsCloud } from "./aws.ts";
import {
  CloudObjects,
  LINK_SECONDS,
  secretOf,
  xmlError,
  type CloudOptions,
  type KeboolaCloud,
} from "./cloud.ts";

const ORIGIN = "https://files.keboola.test";

/**
 * Links that are signed already: a manifest lists new ones each time it is read, and there are no credentials. Uploads
 * go to S3, because a file cannot be uploaded without credentials.
 */
export function plainCloud(options: CloudOptions): KeboolaCloud {
  const objects = new CloudObjects(options);
  const uploads = awsCloud(options);
  const links = new Map<string, { readonly key: string; expiresAt: Date }>();
  const signedUrl = (key: string) => {
    const signature = secretOf("plain", links.size);
    links.set(signature, { key, expiresAt: new Date(options.now().getTime() + LINK_SECONDS * 1000) });
    return `${ORIGIN}/${key.split("/").map(encodeURIComponent).join("/")}?signature=${signature}`;
  };
  const keyOf = (url: URL) => decodeURIComponent(url.pathname.slice(1));
  return {
    provider: undefined,
    serves: (url) => url.origin === ORIGIN || uploads.serves(url),
    keyOf: (url) => (url.origin === ORIGIN ? keyOf(url) : uploads.keyOf(url)),
    write: async (key, content) => objects.write(key, content),
    read: async (key) => (await objects.read(key)) ?? uploads.read(key),
    entryUrl: signedUrl,
    signedUrl,
    downloadFields: () => ({}),
    uploadFields: (key) => uploads.uploadFields(key),
    async respond(request) {
      const { url, headers } = request;
      if (url.origin !== ORIGIN) return uploads.respond(request);
      if (headers.has("authorization"))
        return xmlError(400, "InvalidArgument", "Only one auth mechanism allowed");
      const link = links.get(url.searchParams.get("signature") ?? "");
      if (link?.key !== keyOf(url)) return xmlError(403, "SignatureDoesNotMatch", "The signature is wrong");
      if (link.expiresAt <= options.now()) return xmlError(403, "AccessDenied", "Request has expired");
      return objects.respond(link.key, request, () => xmlError(404, "NoSuchKey", "The file does not exist"));
    },
    expire() {
      uploads.expire();
      // The links stay known: an expired link has another error than a wrong one.
      for (const link of links.values()) link.expiresAt = new Date(0);
    },
  };
}
