import { basename, dirname } from "node:path";

import { AgnesError } from "agnes/kit";

import { entryAt, type DataEntry, type Entry, type LinkRule } from "./entries.ts";
import { hasExtension } from "./formats.ts";
import { entriesOrProblem } from "./walk.ts";

/** The matches of a glob, and the folders that could not be searched. */
export interface Matched {
  /** All matching entries, sorted by path. */
  readonly entries: readonly Entry[];
  /** Folders on the path of the glob that cannot be listed, with the reason. */
  readonly blocked: readonly { readonly path: string; readonly problem: AgnesError }[];
}

const MAGIC = /[*?[]/;

/** Whether a path contains wildcards. */
export const isGlob = (path: string): boolean => MAGIC.test(path);

/** The folder above the first part of a glob that contains a wildcard. */
export const fixedPart = (pattern: string): string => dirname(pattern.slice(0, pattern.search(MAGIC) + 1));

/**
 * Returns the matches of a glob: `*`, `?` and `[…]` in a name, `**` for folders at any depth, as in DuckDB. Unlike DuckDB,
 * it ignores hidden and temporary entries and reports folders that cannot be listed.
 */
export async function matchesOf(pattern: string, rule: LinkRule): Promise<Matched> {
  const fixed = fixedPart(pattern);
  const root = await entryAt(fixed);
  if (root === null || root.kind === "file") return { entries: [], blocked: [] };
  if (root.kind === "bad") return { entries: [], blocked: [root] };
  const parts = pattern
    .slice(fixed.length)
    .split(/[/\\]/)
    .filter((part) => part !== "");
  const search = new Search(rule);
  await search.descend(root, parts.at(-1) === "**" ? [...parts, "*"] : parts);
  return search.matched();
}

class Search {
  readonly #rule: LinkRule;
  readonly #entries = new Map<string, Entry>();
  readonly #blocked = new Map<string, AgnesError>();
  readonly #listings = new Map<string, ReturnType<typeof entriesOrProblem>>();

  constructor(rule: LinkRule) {
    this.#rule = rule;
  }

  matched(): Matched {
    const entries = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
    return { entries, blocked: [...this.#blocked].map(([path, problem]) => ({ path, problem })) };
  }

  async descend(folder: DataEntry, parts: readonly string[]): Promise<void> {
    const [part, ...rest] = parts;
    const isDeep = part === "**";
    if (isDeep) await this.descend(folder, rest);
    const entries = await this.#list(folder);
    const matches = isDeep ? () => true : matcherOf(part!);
    for (const entry of entries) {
      if (!matches(basename(entry.path))) continue;
      if (rest.length === 0) this.#entries.set(entry.path, entry);
      else if (entry.kind === "folder") await this.descend(entry, isDeep ? parts : rest);
      else if (entry.kind === "bad" && entry.mayBeFolder && (!isDeep || !hasExtension(entry.path))) {
        this.#blocked.set(entry.path, entry.problem);
      } else if (entry.kind === "leftOut" && entry.mayBeFolder) {
        this.#entries.set(entry.path, entry);
      }
    }
  }

  async #list(folder: DataEntry): Promise<readonly Entry[]> {
    const listing = this.#listings.get(folder.path) ?? entriesOrProblem(folder, this.#rule);
    this.#listings.set(folder.path, listing);
    const entries = await listing;
    if (!(entries instanceof AgnesError)) return entries;
    this.#blocked.set(folder.path, entries);
    return [];
  }
}

/** Whether a name matches one part of a glob. */
function matcherOf(part: string): (name: string) => boolean {
  const source = part.replaceAll(
    /\[(!?)(\]?[^\]]*)\]|[*?]|[$()+.{|}^[\]\\]/g,
    (found, not: string, set: string) => {
      if (found === "*") return ".*";
      if (found === "?") return ".";
      if (set === undefined) return `\\${found}`;
      return `[${not === "" ? "" : "^"}${set.replaceAll(/[\\\][^]/g, String.raw`\$&`)}]`;
    },
  );
  const pattern = new RegExp(`^${source}$`, "su");
  return (name) => pattern.test(name);
}
