import { AgnesError, messageOf } from "../base/mod.ts";

/**
 * Loads an optional package, such as a vendor's SDK, when it is first needed. Users who do not need the connector do not
 * install the package; the executable contains those of the bundled connectors.
 *
 * @param name the name of the package, for the error
 * @param load an `import()` of the package with a literal name, so that bundlers find it
 * @returns what `load` resolves to
 * @throws `package_missing` if the package is not installed; errors of the package itself are thrown unchanged
 * @example
 * ```ts
 * import { optionalPackage } from "agnes/kit";
 * const { readFile } = await optionalPackage("node:fs/promises", () => import("node:fs/promises"));
 * ```
 */
export async function optionalPackage<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    // A missing dependency of the optional package is a different error.
    const isMissing = error instanceof Error && "code" in error && MISSING.has(String(error.code));
    const isNamed = [`'${name}'`, `'${name}/`].some((text) => messageOf(error).includes(text));
    if (!isMissing || !isNamed) throw error;
    throw new AgnesError("package_missing", { package: name }, { cause: error });
  }
}

const MISSING = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);
