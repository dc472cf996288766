import { AgnesError, isAgnesError } from "../base/mod.ts";

/** Returns the position of a setting's key as `file:line:column`; `undefined` if the configuration is not in a file. */
export type PlaceOf = (key: string) => string | undefined;

/** Adds the position of the setting to an error about a source's settings. Returns other errors unchanged. */
export function placedError(error: unknown, source: string, placeOf: PlaceOf): unknown {
  if (isAgnesError(error, "config_unknown_key") || isAgnesError(error, "config_invalid")) {
    const { path, key } = error.details;
    const place = error.details.at === undefined ? placeOf(`${path}.${key}`) : undefined;
    if (place === undefined) return error;
    return new AgnesError(error.code, { ...error.details, at: `${place}: ${path}` } as never, {
      cause: error,
    });
  }
  if (isAgnesError(error, "plugin_unknown")) {
    const at = placeOf(`sources.${source}.plugin`);
    return at === undefined ? error : new AgnesError(error.code, { ...error.details, at }, { cause: error });
  }
  return error;
}
