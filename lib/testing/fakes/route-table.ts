/** A route that matches a request, with the values of its `:names`. */
export interface FoundRoute<Route> {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Compiles routes; the first that matches is used.
 * @throws RangeError for a key that is not `METHOD /path` or `METHOD https://host/path`
 */
export function compileRoutes<Route>(
  routes: Readonly<Record<string, Route>>,
): (method: string, url: URL) => FoundRoute<Route> | null {
  const compiled = Object.entries(routes).map(([key, route]) => ({ ...compile(key), route }));
  return (method, url) => {
    for (const { method: expected, origin, pattern, names, route } of compiled) {
      if (method !== expected || (origin !== undefined && origin !== url.origin)) continue;
      const values = pattern.exec(url.pathname)?.slice(1);
      if (values === undefined) continue;
      return {
        route,
        params: Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(values[at]!)])),
      };
    }
    return null;
  };
}

function compile(key: string): {
  readonly method: string;
  readonly origin: string | undefined;
  readonly pattern: RegExp;
  readonly names: readonly string[];
} {
  const parts = /^([A-Z]+) (https?:\/\/[^/]+)?(\/.*)$/.exec(key);
  if (parts === null) {
    throw new RangeError(`the route ${JSON.stringify(key)} is not METHOD /path or METHOD https://host/path`);
  }
  const [, method, origin, path] = parts;
  const names: string[] = [];
  const source = path!.replace(
    /:(\w+)|\*$|[.*+?^${}()|[\]\\]/g,
    (found, name: string | undefined, at: number) => {
      const isRest = found === "*" && at === path!.length - 1;
      if (name === undefined && !isRest) return `\\${found}`;
      names.push(name ?? "*");
      return isRest ? "(.*)" : "([^/]+)";
    },
  );
  return { method: method!, origin, pattern: new RegExp(`^${source}$`), names };
}
