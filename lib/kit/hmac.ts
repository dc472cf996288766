import { createHmac, timingSafeEqual } from "node:crypto";

import { Secret } from "../base/mod.ts";

/** The signature and body that `verifyHmac` checks. */
export interface HmacCheck {
  /** The signature from the header; if missing, the check fails. */
  readonly signature: string | null | undefined;
  /** The signed bytes exactly as received; a string is encoded as UTF-8. */
  readonly body: Uint8Array | string;
  /** The key, or several keys during a rotation; a signature by any of them is valid. */
  readonly secret: string | Secret | readonly (string | Secret)[];
  /** Default: `sha256`. */
  readonly algorithm?: "sha256" | "sha1";
  /** The encoding of the signature. Default: `hex`. */
  readonly encoding?: "hex" | "base64";
  /** A prefix of the signature, such as `sha256=`, compared without case. Default: none. */
  readonly prefix?: string;
}

/**
 * Returns whether a pushed request was signed with the secret, compared in constant time.
 *
 * Returns `false` for a missing or malformed signature and for an empty secret. Never throws.
 *
 * @example
 * ```ts
 * import { permanent, verifyHmac, type PushRequest, type Secret } from "agnes/kit";
 * function verify({ headers, body }: PushRequest, secret: Secret) {
 *   const signature = headers["x-hub-signature"];
 *   if (!verifyHmac({ signature, body, secret, prefix: "sha256=" })) throw permanent("the signature is wrong");
 * }
 * ```
 */
export function verifyHmac(check: HmacCheck): boolean {
  const { signature, body, secret, algorithm = "sha256", encoding = "hex", prefix = "" } = check;
  const bytes = decoded(signature ?? "", prefix, encoding, algorithm === "sha256" ? 32 : 20);
  if (bytes === null) return false;
  const keys = Array.isArray(secret) ? (secret as readonly (string | Secret)[]) : [secret as string | Secret];
  let isAuthentic = false;
  for (const key of keys) {
    const value = key instanceof Secret ? key.reveal() : key;
    const expected = createHmac(algorithm, value).update(body).digest();
    // Check every key so that the duration does not depend on which key matches.
    if (timingSafeEqual(expected, bytes) && value !== "") isAuthentic = true;
  }
  return isAuthentic;
}

function decoded(
  signature: string,
  prefix: string,
  encoding: "hex" | "base64",
  sizeBytes: number,
): Buffer | null {
  if (signature.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase()) return null;
  const text = signature.slice(prefix.length);
  // Buffer.from ignores invalid characters: "ab!" would decode like "ab".
  const form = encoding === "hex" ? /^[0-9a-f]+$/i : /^[A-Za-z0-9+/]+={0,2}$/;
  const bytes = form.test(text) ? Buffer.from(text, encoding) : Buffer.alloc(0);
  return bytes.length === sizeBytes ? bytes : null;
}
