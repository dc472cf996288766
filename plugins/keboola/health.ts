import type { Health } from "agnes/kit";

import { dateOf } from "./dates.ts";
import type { Settings } from "./options.ts";
import type { Token } from "./api/schemas.ts";

const DAY_MS = 24 * 60 * 60_000;
const WARNING_DAYS = 14;

/** Describes the project of a verified token and the branch of the options, with a warning if the token expires soon. */
export function healthOf(
  token: Token,
  { url, branch, branchName }: Pick<Settings, "url" | "branch"> & { readonly branchName: string | null },
  now: Date,
): Health {
  const { id, name, region } = token.owner;
  const place = region === null || region === undefined ? "" : ` in ${region}`;
  const project = `project ${name} (${id})${place} at ${url}`;
  const inBranch =
    branch === undefined
      ? ""
      : `, branch ${branch}${branchName === null ? ", which the token may not check" : ` (${branchName})`}`;
  return { ok: true, message: `the token can read ${project}${inBranch}${expiryOf(token, now)}` };
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
