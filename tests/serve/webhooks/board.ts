import { createHmac } from "node:crypto";

import * as v from "valibot";

import {
  definePlugin,
  int64,
  permanent,
  table,
  transient,
  utf8,
  verifyHmac,
} from "../../../lib/kit/public.ts";

export const KEY = "the key of the board";

/** A request body that makes `verify` fail for another reason than its signature. */
const BUSY = "busy";

const comments = table("comments", { id: int64({ nullable: false }), body: utf8() }, { primaryKey: ["id"] });
const pushed = v.object({ delivery: v.string(), issue: v.number(), isDeleted: v.optional(v.boolean()) });

/** A plugin that receives requests, and counts how often it was connected. */
export function boardPlugin(name = "board") {
  const counts = { connected: 0, closed: 0 };
  const plugin = definePlugin({
    name,
    version: "1.0.0",
    description: "Comments of the board",
    capabilities: ["discover", "stream"],
    options: v.strictObject({}),
    secrets: { BOARD_KEY: { description: "the key that signs pushed requests", required: true } },
    async connect({ secrets }) {
      counts.connected += 1;
      return {
        discover: async () => [comments],
        async verify({ headers, body }) {
          const signature = headers["x-signature"];
          if (!verifyHmac({ signature, body, secret: secrets.BOARD_KEY }))
            throw permanent("the signature is wrong");
          const text = new TextDecoder().decode(body);
          if (text === BUSY) throw transient("the board cannot be reached");
          const { delivery: id, issue, isDeleted = false } = v.parse(pushed, JSON.parse(text));
          return [{ id, body: { issue, ...(isDeleted && { isDeleted }) } }];
        },
        async *stream(events) {
          for await (const { body } of events) {
            const { issue: id, isDeleted } = body as { readonly issue: number; readonly isDeleted?: true };
            yield isDeleted === true
              ? { kind: "delete", table: "comments", key: { id } }
              : { kind: "upsert", table: "comments", row: { id, body: `comment ${id}` } };
          }
        },
        close: async () => void (counts.closed += 1),
      };
    },
  });
  return { plugin, counts };
}

/** A signed request for an issue. */
export function signed(body: string | Uint8Array) {
  const signature = createHmac("sha256", KEY).update(body).digest("hex");
  return { method: "POST", headers: { "x-signature": signature }, body } as const;
}

export const delivery = (issue: number): string => JSON.stringify({ delivery: `d${issue}`, issue });

/** The body of a request that reports a deleted issue. */
export const deletion = (issue: number): string =>
  JSON.stringify({ delivery: `deletion ${issue}`, issue, isDeleted: true });
