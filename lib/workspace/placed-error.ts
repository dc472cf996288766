import { AgnesError, isAgnesError } from "../base/mod.ts";

/** Where the key of a setting is, as `file:line:column`; `undefined` when the configuration is in no file. */
export type PlaceOf = (key: string) => string | undefined;

/** An error about a setting of a source, with the place of the setting; any other as it is. */
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
