import assert from "node:assert/strict";
import { inspect } from "node:util";

import { bigintAsText, causesOf } from "../../base/mod.ts";
import type { Session } from "./session.ts";

/** Checks that a value does not contain a secret of the configuration, in any common encoding and at any depth. */
export function assertNoSecret(session: Session, what: string, value: unknown): void {
  const text = typeof value === "string" ? value : everything(value);
  for (const [name, secret] of Object.entries(session.config.secrets ?? {})) {
    const found = spellings(secret).find((spelling) => text.includes(spelling));
    assert.ok(found === undefined, `${what} contains the secret ${name}`);
  }
}

/** Also checks the log. */
export function assertNoSecretInLog(session: Session): void {
  assertNoSecret(session, "the log", session.log.text());
}

function spellings(secret: string): readonly string[] {
  if (secret === "") return [];
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    // Without the last characters, which depend on the following bytes.
    bytes.toString("base64").replace(/.{0,2}=*$/, ""),
    bytes.toString("hex"),
  ].filter((spelling) => spelling.length >= 4);
}

function everything(value: unknown): string {
  const seen: string[] = [inspect(value, { depth: 12, maxStringLength: null, showHidden: true })];
  for (const error of causesOf(value)) {
    if (!(error instanceof Error)) break;
    seen.push(error.message, error.stack ?? "", JSON.stringify(error, bigintAsText) ?? "");
  }
  return seen.join("\n");
}
