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
const pushed = v.object({ delivery: v.string(), issue: v.number() });

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
          const { delivery, issue } = v.parse(pushed, JSON.parse(text));
          return [{ id: delivery, body: { issue } }];
        },
        async *stream(events) {
          for await (const { body } of events) {
            const { issue } = body as { readonly issue: number };
            yield { kind: "upsert", table: "comments", row: { id: issue, body: `comment ${issue}` } };
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
