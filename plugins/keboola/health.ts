import type { Health } from "agnes/kit";

import { dateOf } from "./dates.ts";
import type { Token } from "./schemas.ts";

const DAY_MS = 24 * 60 * 60_000;
const WARNING_DAYS = 14;

/** Describes the project of a verified token, with a warning if it expires soon. */
export function healthOf(token: Token, url: string, now: Date): Health {
  const { id, name, region } = token.owner;
  const place = region === null || region === undefined ? "" : ` in ${region}`;
  const project = `project ${name} (${id})${place} at ${url}`;
  return { ok: true, message: `the token can read ${project}${expiryOf(token, now)}` };
}

function expiryOf({ expires }: Token, now: Date): string {
  const date = dateOf(expires);
  if (date === null) return "; it does not expire";
  const day = date.toISOString().slice(0, 10);
  const days = Math.floor((date.getTime() - now.getTime()) / DAY_MS);
  if (days >= WARNING_DAYS) return `; it expires on ${day}`;
  const left = days < 1 ? "in less than a day" : days === 1 ? "in 1 day" : `in ${days} days`;
  return `; WARNING: it expires ${left}, on ${day}: create a new one`;
}
