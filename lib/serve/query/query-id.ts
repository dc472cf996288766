import * as v from "valibot";

/** The header with the id of a query. */
export const ID_HEADER = "X-Agnes-Query-Id";
const ID = /^[A-Za-z0-9_-]{8,64}$/;

/** The request header of the routes that run a query, for `headers` of a route. */
export const queryIdHeader = {
  [ID_HEADER]: v.pipe(
    v.string(),
    v.regex(ID, "it must be 8 to 64 letters, digits, _ or -"),
    v.description("The id that the query gets; default: that of the request"),
  ),
};

/** Describes the header that `queryIdHeaders` adds, for `commonHeaders` of a route. */
export const queryIdDescription = { [ID_HEADER]: "The id of the query" };

/** The id of a query: that of its client, or that of the request. */
export function queryId(request: Request, requestId: string): string {
  const id = request.headers.get(ID_HEADER);
  return id !== null && ID.test(id) ? id : requestId;
}

/** The headers of all responses, for `headersOf` of a route. */
export function queryIdHeaders(request: Request, requestId: string): Readonly<Record<string, string>> {
  return { [ID_HEADER]: queryId(request, requestId) };
}
