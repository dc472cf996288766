import { AgnesError, holdsSecret } from "../../base/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";

/**
 * Returns the attach of a source, which is written to the extract.
 * @throws `remote_holds_secret` if it contains the value of a secret
 */
export function withoutSecrets(
  info: RemoteAttachInfo,
  origin: { readonly plugin: string; readonly source: string; readonly secrets: Iterable<string> },
): RemoteAttachInfo {
  const { plugin, source, secrets } = origin;
  const { alias, extension, url, tokenEnv } = info;
  for (const [field, value] of Object.entries({ alias, extension, url, tokenEnv })) {
    if (holdsSecret(String(value), secrets))
      throw new AgnesError("remote_holds_secret", { plugin, source, field });
  }
  return info;
}
