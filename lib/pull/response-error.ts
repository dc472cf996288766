import { AgnesError, errorCodes, type ErrorCode } from "../base/mod.ts";
import { allBytes } from "./all-bytes.ts";

const ERROR_BYTES_MAX = 1024 * 1024;

const TOKEN_HINT =
  "Set AGNES_TOKEN to a token of the server. An administrator creates one with `agnes token create NAME` on the server.";

/** The error of a response that is not ok, with the texts of the server. */
export async function responseError(
  server: string,
  httpStatus: number,
  body: AsyncIterable<Uint8Array>,
): Promise<AgnesError> {
  const invalid = (reason: string) =>
    new AgnesError("server_response_invalid", { server, httpStatus, reason });
  if (httpStatus >= 300 && httpStatus < 400) return invalid("is a redirect, which is not followed");
  const bytes = await allBytes(body, ERROR_BYTES_MAX);
  const sent = bytes === null ? null : errorIn(new TextDecoder().decode(bytes));
  if (sent === null) return invalid("is not an error of Agnes");
  const { code, message, details } = sent;
  const texts = { message, hint: code === "token_missing" ? TOKEN_HINT : sent.hint };
  if (!Object.hasOwn(errorCodes, code)) {
    const unknown = invalid(`is the error ${code}`);
    return unknown.withDetails(unknown.details, { texts });
  }
  try {
    return new AgnesError(code as ErrorCode, details as never).withDetails(details as never, { texts });
  } catch {
    return invalid(`is the error ${code} without its details`);
  }
}

interface SentError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: object;
}

function errorIn(text: string): SentError | null {
  try {
    const { error } = JSON.parse(text) as { readonly error?: Partial<SentError> | null };
    const { code, message, hint, details } = error ?? {};
    if (typeof code !== "string" || typeof message !== "string" || typeof hint !== "string") return null;
    return { code, message, hint, details: typeof details === "object" && details !== null ? details : {} };
  } catch {
    return null;
  }
}
