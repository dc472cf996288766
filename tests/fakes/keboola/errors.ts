/** An error response of the API. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.context = context;
  }

  toResponse(): Response {
    const { status, code, message: error, context } = this;
    const exceptionId = `exception-${code.replaceAll(/\W/g, "-")}`;
    return Response.json({ status: "error", error, code, exceptionId, context }, { status });
  }
}

/** A request whose parameters are wrong. */
export function invalid(message: string): ApiError {
  return new ApiError(400, "storage.validation", message);
}

/** A resource that the token may not use. */
export function denied(): ApiError {
  return new ApiError(403, "accessDenied", "You don't have access to the resource.");
}
