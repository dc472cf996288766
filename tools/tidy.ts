import { parseSync } from "oxc-parser";

import { importsOf, walk, type SourceFile, type SyntaxNode } from "./source.ts";

/** The most lines a file may have. */
export const LINES_MAX = 400;

/** Files with more than `LINES_MAX` lines. */
export function sizeViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    return lines > LINES_MAX ? [`${path} has ${lines} lines, more than ${LINES_MAX}`] : [];
  });
}

// Built from parts, so that this file does not match its own patterns. Absolute paths below these roots work only in one
// working environment, so they are not allowed in the repository.
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [
    new RegExp(`regi${"stry"}\\.(npmjs|yarnpkg)|pypi\\.${"org"}|crates\\.${"io"}|proxy\\.golang`),
    "names a package registry",
  ],
  // Folders of the machines on which Agnes is built; a path below them works on no other machine.
  [new RegExp(`(^|[^a-zA-Z.~])/(wo${"rk"}|fa${"rm"})/`, "m"), "has a path that exists only on one machine"],
  [
    new RegExp(`\\b(test|it|describe)\\.(sk${"ip"}|to${"do"}|on${"ly"}|skip${"If"})\\b`),
    "has a test that may not run",
  ],
  [new RegExp(`\\b(TO${"DO"}|FIX${"ME"}|XX${"X"})\\b`), "has a marker of unfinished work"],
];

/** Words that do not belong in the product. */
export function textViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) =>
    FORBIDDEN.flatMap(([pattern, reason]) => (pattern.test(text) ? [`${path} ${reason}`] : [])),
  );
}

const VENDORS =
  /azure|bigquery|databricks|hubspot|jira|keboola|mysql|postgres|salesforce|snowflake|sqlite|amazonaws|googleapis|windows\.net/i;

/** Code of `lib/` that names a vendor; comments may, for examples. The SQL dialects of the kit are named after engines. */
export function vendorViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    if (!path.startsWith("lib/") || path.startsWith("lib/kit/sql/")) return [];
    const { comments } = parseSync(path, text);
    const code = comments.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text);
    const vendor = VENDORS.exec(code)?.[0];
    return vendor === undefined ? [] : [`${path} names ${vendor}: vendor facts belong to a plugin`];
  });
}

/** The folders of `lib/` that may use the file system past `Host`: the one that implements it, and the one for tests. */
const FILE_SYSTEM_FOLDERS = /^lib\/(base|testing)\//;

/** Code of `lib/` that uses the file system, or opens a database, where injected faults do not reach it. */
export function hostViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    if (!file.path.startsWith("lib/") || FILE_SYSTEM_FOLDERS.test(file.path)) return [];
    const found: string[] = [];
    if (importsOf(file).some((specifier) => /^(node:)?fs(\/promises)?$/.test(specifier)))
      found.push(`${file.path} imports node:fs: use the files of Host`);
    walk(parseSync(file.path, file.text).program, (node) => {
      if (node["type"] !== "CallExpression") return;
      if ((node["callee"] as SyntaxNode)["name"] !== "openDatabase" || hasProperty(node, "files")) return;
      found.push(`${file.path} opens a database without the files of Host`);
    });
    return found;
  });
}

/** Whether the first argument of a call is an object with a property of this name. */
function hasProperty(call: SyntaxNode, name: string): boolean {
  const [first] = call["arguments"] as readonly SyntaxNode[];
  const properties = (first?.["properties"] ?? []) as readonly { readonly key?: SyntaxNode }[];
  return properties.some(({ key }) => key?.["name"] === name);
}

/** Files outside `lib/base/` that rename files themselves, and why. */
const RENAMES: ReadonlyMap<string, string> = new Map([
  ["cmd/native/load-native.ts", "a native module is loaded synchronously, before any other code"],
  ["lib/extract/write/finish-parts.ts", "parts are synced one by one and their folder once"],
  ["lib/extract/write/write-part.ts", "gives what DuckDB wrote into folders a temporary name"],
  ["lib/pull/download.ts", "parts are synced one by one and their folder once"],
  ["lib/pull/layout.ts", "links to parts, and folders of them"],
  ["lib/push/spool.ts", "moves a damaged file out of the spool"],
]);

/** Renames in `lib/`, `plugins/` and `cmd/` past `publishFile` and `replaceDatabase`, the one path by which a file is published. */
export function publishViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    if (
      !/^(lib|plugins|cmd)[/]/.test(file.path) ||
      file.path.startsWith("lib/base/") ||
      RENAMES.has(file.path)
    )
      return [];
    let isFound = false;
    walk(parseSync(file.path, file.text).program, (node) => {
      if (namesOf(node).some((name) => name === "rename" || name === "renameSync")) isFound = true;
    });
    return isFound
      ? [`${file.path} renames a file: publish by publishFile or replaceDatabase of lib/base`]
      : [];
  });
}

/** The names of functions that a node uses: called, as a member, taken out of an object, or imported under any name. */
function namesOf(node: SyntaxNode): readonly unknown[] {
  const textOf = (part: unknown) => {
    const { name, value } = (part ?? {}) as { readonly name?: unknown; readonly value?: unknown };
    return name ?? value;
  };
  switch (node["type"]) {
    case "CallExpression":
      return [textOf(node["callee"])];
    case "MemberExpression":
      return [textOf(node["property"])];
    case "ImportSpecifier":
      return [textOf(node["imported"])];
    case "ObjectPattern":
      return (node["properties"] as readonly SyntaxNode[]).map((property) => textOf(property["key"]));
    default:
      return [];
  }
}

/** Replacers of `JSON.stringify` that convert a `bigint` themselves, instead of with `bigintAsText` of `lib/base`. */
export function replacerViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    let isFound = false;
    walk(parseSync(file.path, file.text).program, (node) => {
      if (node["type"] !== "CallExpression") return;
      const { object, property } = node["callee"] as {
        readonly object?: SyntaxNode;
        readonly property?: SyntaxNode;
      };
      if (object?.["name"] !== "JSON" || property?.["name"] !== "stringify") return;
      walk((node["arguments"] as readonly SyntaxNode[])[1], ({ value }) => {
        if (value === "bigint") isFound = true;
      });
    });
    return isFound ? [`${file.path} converts a bigint itself: use bigintAsText`] : [];
  });
}

/** Codes of Agnes that only one plugin uses, and why. */
const CODES_OF_ONE_PLUGIN: ReadonlyMap<string, string> = new Map([
  ["catalog_storage_refused", "the counterpart of `catalog_unavailable`, for every storage of catalogs"],
]);

/** Error codes of Agnes that nothing uses, or only one plugin: they belong to that plugin. */
export function errorCodeViolations(
  files: readonly SourceFile[],
  codes: readonly string[],
): readonly string[] {
  const users = files.filter(
    ({ path }) => /^(lib|cmd|plugins)[/]/.test(path) && !path.startsWith("lib/base/errors/"),
  );
  return codes.flatMap((code) => {
    const paths = users.filter(({ text }) => text.includes(`"${code}"`)).map(({ path }) => path);
    const rooms = new Set(paths.map((path) => /^plugins[/][^/]+/.exec(path)?.[0] ?? "lib"));
    const [only] = rooms;
    if (rooms.size > 1 || only === "lib" || CODES_OF_ONE_PLUGIN.has(code)) return [];
    return [
      only === undefined
        ? `no one uses the code ${code}`
        : `only ${only} uses the code ${code}: declare it there`,
    ];
  });
}

/** Functions that Node 20, the oldest version that the library supports, does not have. */
const NEWER_THAN_NODE_20 = new Set([
  "Array.fromAsync",
  "Map.groupBy",
  "Object.groupBy",
  "Promise.try",
  "Promise.withResolvers",
  "RegExp.escape",
]);

/** Uses of what only Bun has, its modules and its global object, or what Node 20 lacks, where Node must run too. */
export function runtimeViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const imports = importsOf(file).filter(
      (specifier) => specifier === "bun" || specifier.startsWith("bun:"),
    );
    let global = false;
    const lacking: string[] = [];
    walk(parseSync(file.path, file.text).program, (node) => {
      if (node["type"] !== "MemberExpression") return;
      const names = [node["object"], node["property"]].map((part) => (part as SyntaxNode)["name"]);
      if (names[0] === "Bun" || (names[0] === "globalThis" && names[1] === "Bun")) global = true;
      if (NEWER_THAN_NODE_20.has(names.join("."))) lacking.push(names.join("."));
    });
    return [
      ...(imports.length > 0 || global ? [`${file.path} uses what only Bun has`] : []),
      ...lacking.map((name) => `${file.path} uses ${name}, which Node 20 lacks`),
    ];
  });
}

interface PackageFile {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Dependencies that are not pinned, or that `ARCHITECTURE.md` does not explain. */
export function dependencyViolations(manifest: PackageFile, architecture: string): readonly string[] {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).flatMap(
    ([name, version]) => [
      ...(/^\d/.test(version) ? [] : [`${name} is not pinned to one version: ${version}`]),
      ...(architecture.includes(`\`${name}\``) ? [] : [`ARCHITECTURE.md does not describe ${name}`]),
    ],
  );
}

interface LockFile {
  readonly packages: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }
    >
  >;
}

/**
 * Addresses in a lock file, and packages for other platforms that it left out: npm drops those that are not installed
 * where it is written, and then installs nothing from it.
 */
export function lockViolations({ packages }: LockFile): readonly string[] {
  return Object.entries(packages).flatMap(([path, { resolved, optionalDependencies = {} }]) => [
    ...(resolved === undefined ? [] : [`the lock file names ${resolved}`]),
    ...Object.keys(optionalDependencies)
      .filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      )
      .map((name) => `the lock file lacks ${name}`),
  ]);
}
