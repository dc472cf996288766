import type { TokenInfo } from "../../lib/serve/mod.ts";

/** A token as printed in JSON. */
export function storedToken(info: TokenInfo) {
  return {
    id: info.id,
    name: info.name,
    kind: info.kind,
    role: info.role,
    grants: info.grants,
    created_at: info.createdAt,
    created_by: info.createdBy,
    expires_at: info.expiresAt,
    last_used_at: info.lastUsedAt,
  };
}
