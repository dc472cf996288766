/** An error response of the REST API. */
export function failure(code: number, reason: string, message: string): Response {
  const status =
    { 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND" }[code] ?? "INVALID_ARGUMENT";
  const errors = [{ message, domain: "global", reason }];
  return Response.json({ error: { code, message, errors, status } }, { status: code });
}
