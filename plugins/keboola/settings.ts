import { errors } from "./errors.ts";
import type { KeboolaOptions, Settings } from "./options.ts";

const STACK_VARIABLE = "KEBOOLA_STACK_URL";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Completes the options from the environment.
 * @throws `keboola/stack_missing`, `keboola/stack_invalid`
 */
export function settingsOf(options: KeboolaOptions, environment: Environment = process.env): Settings {
  const url = options.url ?? valueOf(environment, STACK_VARIABLE);
  if (url === undefined) throw errors.stack_missing({ variable: STACK_VARIABLE });
  const projectId = options.projectId ?? valueOf(environment, "KEBOOLA_PROJECT_ID");
  return {
    ...options,
    url: stackUrl(url, options.allowPrivateAddress),
    ...(projectId === undefined ? {} : { projectId }),
  };
}

function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}

/** Returns the URL without trailing slashes: with one, paths would contain two slashes. */
function stackUrl(text: string, allowsHttp: boolean): string {
  const refuse = (reason: string) => errors.stack_invalid({ reason });
  if (!URL.canParse(text)) throw refuse("it is not a URL");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(allowsHttp && url.protocol === "http:"))
    throw refuse(`it begins with ${url.protocol}//, and the token is sent over https only`);
  if (url.username !== "" || url.password !== "") throw refuse("it contains a user or a password");
  if (url.search !== "" || url.hash !== "") throw refuse("it contains a query or a fragment");
  if (/^\/(admin|v2)\b/.test(url.pathname)) throw refuse(`it has the path ${url.pathname}`);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
