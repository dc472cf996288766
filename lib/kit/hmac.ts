import { createHmac, timingSafeEqual } from "node:crypto";

import { Secret } from "../base/mod.ts";

/** A signature to be checked by `verifyHmac`. */
export interface HmacCheck {
  /** The signature as it came in the header; absent is wrong. */
  readonly signature: string | null | undefined;
  /** The signed bytes exactly as they came; a text is taken as UTF-8. */
  readonly body: Uint8Array | string;
  /** The key. Several while one is replaced: any of them may have signed. */
  readonly secret: string | Secret | readonly (string | Secret)[];
  /** Default `sha256`. */
  readonly algorithm?: "sha256" | "sha1";
  /** How the signature is written. Default `hex`. */
  readonly encoding?: "hex" | "base64";
  /** What stands before the signature, such as `sha256=`; in any case. Default: nothing. */
  readonly prefix?: string;
}

/**
 * Whether a pushed request was signed with the secret, compared in constant time.
 *
 * `false` for a signature that is missing or malformed, and for an empty secret, with which anybody could sign. Throws
 * nothing.
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
  let isGenuine = false;
  for (const key of keys) {
    const value = key instanceof Secret ? key.reveal() : key;
    const expected = createHmac(algorithm, value).update(body).digest();
    // All keys are tried, so that the time does not depend on which one signed.
    if (timingSafeEqual(expected, bytes) && value !== "") isGenuine = true;
  }
  return isGenuine;
}

function decoded(
  signature: string,
  prefix: string,
  encoding: "hex" | "base64",
  sizeBytes: number,
): Buffer | null {
  if (signature.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase()) return null;
  const text = signature.slice(prefix.length);
  // Buffer.from ignores what it cannot read, and would take "ab" for "ab!".
  const form = encoding === "hex" ? /^[0-9a-f]+$/i : /^[A-Za-z0-9+/]+={0,2}$/;
  const bytes = form.test(text) ? Buffer.from(text, encoding) : Buffer.alloc(0);
  return bytes.length === sizeBytes ? bytes : null;
}
