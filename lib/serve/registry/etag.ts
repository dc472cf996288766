import * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";

/** The ETag of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

const LIST =
  /^(?:\*|(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*)$/;

/** The header of a change that is made only to a known version. */
export const ifMatch = {
  "If-Match": v.pipe(
    v.string(),
    v.regex(LIST, "it must be * or a list of tags in double quotes"),
    v.description("Change it only if its ETag is among these; `*`: any"),
  ),
};

/** Describes the header that `taggedJson` adds. */
export const etagHeader = { ETag: "The version, for `If-Match`" };

/**
 * Returns the version that a change expects by `If-Match`, as RFC 9110 compares it: `*` is any version, a list matches
 * with any of its tags, and weak tags never match.
 * @param current the version of what is there
 * @returns undefined: any version; otherwise the current version if it matches, or an earlier one
 * @throws `etag_unknown`
 */
export function expectedVersion(request: Request, current: number): number | undefined {
  const header = request.headers.get("if-match");
  if (header === null || header === "*") return undefined;
  const tags = header.match(/(?:W\/)?"[^"]*"/g)!;
  if (tags.includes(etagOf(current))) return current;
  const versions = tags.map((tag) => Number(/^"(\d{1,15})"$/.exec(tag)?.[1] ?? Number.NaN));
  const earlier = versions.filter((version) => version < current);
  if (earlier.length === 0) throw new AgnesError("etag_unknown", { current: etagOf(current) });
  return Math.max(...earlier);
}

/** A JSON response with the ETag of a version. */
export function taggedJson(body: unknown, version: number, status = 200): Response {
  return Response.json(body, { status, headers: { etag: etagOf(version) } });
}
