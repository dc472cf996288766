/** Whether a header `If-None-Match` has an ETag, so that the client has what would be sent. Weak tags match too. */
export function isKnown(header: string | null, etag: string): boolean {
  if (header === null) return false;
  if (header.trim() === "*") return true;
  const tags: readonly string[] = header.match(/"[^"]*"/g) ?? [];
  return tags.includes(etag);
}

/** Whether a range may be sent for a header `If-Range`: there is none, or it is exactly the ETag. A date never matches. */
export function mayResume(header: string | null, etag: string): boolean {
  return header === null || header.trim() === etag;
}
