import { AgnesError } from "../../base/mod.ts";

/** The ETag of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

const LIST = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*$/;

/**
 * Returns the version that a change expects by `If-Match`, as RFC 9110 compares it: `*` is any version, a list matches
 * with any of its tags, and weak tags never match.
 * @param current the version of what is there
 * @returns undefined: any version; otherwise the current version if it matches, or one that does not match
 * @throws `request_invalid` if the header is not well-formed
 */
export function expectedVersion(request: Request, current: number): number | undefined {
  const header = request.headers.get("if-match")?.trim();
  if (header === undefined || header === "*") return undefined;
  if (!LIST.test(header)) {
    const reason = "it must be * or a list of tags in double quotes";
    throw new AgnesError("request_invalid", { part: "header", field: "If-Match", reason });
  }
  const tags = header.match(/(?:W\/)?"[^"]*"/g)!;
  if (tags.includes(etagOf(current))) return current;
  const versions = tags.map((tag) => Number(/^"(\d{1,15})"$/.exec(tag)?.[1] ?? 0));
  return Math.max(...versions);
}

/** A JSON response with the ETag of a version. */
export function taggedJson(body: unknown, version: number, status = 200): Response {
  return Response.json(body, { status, headers: { etag: etagOf(version) } });
}
