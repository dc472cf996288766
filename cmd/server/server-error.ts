import { AgnesError, errorCodes, errorSpec, type ErrorCode } from "../../lib/base/mod.ts";
import { bundledPlugins } from "../plugins.ts";

const TOKEN_HINT =
  "Set AGNES_TOKEN to a token of the server. An administrator creates one with `agnes token create NAME`.";

/** An error as the server sends it. */
export interface SentError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details?: object;
}

interface ErrorOptions {
  readonly httpStatus: number;
  /** Makes the commands of a hint those that work with the server. */
  readonly advice: (text: string) => string;
}

/** The error in the body of a response, with the texts of the server. */
export async function errorOf(
  server: string,
  { text, ...options }: ErrorOptions & { readonly text: string },
): Promise<AgnesError> {
  const { httpStatus } = options;
  const invalid = (reason: string) =>
    new AgnesError("server_response_invalid", { server, httpStatus, reason });
  if (httpStatus >= 300 && httpStatus < 400) return invalid("is a redirect, which is not followed");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return invalid("is not an error of Agnes");
  }
  const sent = (body as { readonly error?: Partial<SentError> | null } | null)?.error ?? {};
  const { code, message, hint } = sent;
  if (typeof code !== "string" || typeof message !== "string" || typeof hint !== "string")
    return invalid("is not an error of Agnes");
  return errorSent(server, { ...sent, code, message, hint }, options);
}

/** An error that the server sent, with the texts of the server. */
export async function errorSent(
  server: string,
  { code, message, hint, details = {} }: SentError,
  { httpStatus, advice }: ErrorOptions,
): Promise<AgnesError> {
  const texts = { message, hint: advice(code === "token_missing" ? TOKEN_HINT : hint) };
  const invalid = (reason: string) =>
    new AgnesError("server_response_invalid", { server, httpStatus, reason });
  if (isPluginCode(code)) {
    const plugins = await bundledPlugins();
    const known = plugins
      .flatMap(({ errors }) => Object.values(errors ?? {}))
      .find((one) => one.code === code);
    const { exit = 1, retry = "permanent" } = known?.spec ?? {};
    const spec = errorSpec({ exit, retry, message: () => texts.message, hint: () => texts.hint });
    return new AgnesError(code, details as never, { spec });
  }
  if (!Object.hasOwn(errorCodes, code)) {
    const unknown = invalid(`is the error ${code}`);
    return unknown.withDetails(unknown.details, { texts });
  }
  try {
    const values = details as never;
    return new AgnesError(code as ErrorCode, values).withDetails(values, { texts });
  } catch {
    return invalid(`is the error ${code} without its details`);
  }
}

function isPluginCode(code: string): code is `${string}/${string}` {
  return code.includes("/");
}
