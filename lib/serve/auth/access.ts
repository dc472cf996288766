import type { Host } from "../../base/mod.ts";
import { folderOf, type TableRegistry } from "../../tables/mod.ts";
import { publishedVersion } from "../published-version.ts";
import type { ServedWorkspace } from "../workspace.ts";
import type { Authorize, AuthorizedTable } from "./authorize.ts";
import type { Grants, Principal } from "./principal.ts";

/** The published tables at one state of the registry and of `analytics.duckdb`. */
interface Listing {
  readonly key: string;
  readonly tables: readonly AuthorizedTable[];
  /** The ids of the tables of each set of grants, by its JSON. */
  readonly granted: Map<string, ReadonlySet<string>>;
}

/** Beyond this many sets of grants, all are computed again. */
const GRANTED_MAX = 1000;

/**
 * The tables that principals may access. The published tables are listed again when the registry or `analytics.duckdb`
 * changed, not for each request.
 */
export class Access {
  readonly #workspace: ServedWorkspace;
  readonly #host: Pick<Host, "files">;
  readonly #authorize: Authorize | undefined;
  #listing: { readonly key: string; readonly listing: Promise<Listing> } | undefined;

  constructor(workspace: ServedWorkspace, host: Pick<Host, "files">, authorize: Authorize | undefined) {
    this.#workspace = workspace;
    this.#host = host;
    this.#authorize = authorize;
  }

  /** Returns the ids of the tables that a principal may access; null: all. */
  async of(principal: Principal): Promise<ReadonlySet<string> | null> {
    const { role, grants } = principal;
    const authorize = this.#authorize;
    const isLimited = role !== "admin" && grants !== null;
    if (!isLimited && authorize === undefined) return null;
    const listing = await this.#current();
    const granted = isLimited ? grantedIn(listing, grants) : null;
    if (authorize === undefined) return granted;
    const candidates = listing.tables.filter(({ id }) => granted === null || granted.has(id));
    const decisions = await Promise.all(candidates.map(async (table) => authorize(principal, table)));
    return new Set(candidates.filter((_, at) => decisions[at] === true).map(({ id }) => id));
  }

  async #current(): Promise<Listing> {
    const registry = await this.#workspace.tables();
    const { dataDirectory } = this.#workspace.workspace;
    const key = await publishedVersion(this.#host, dataDirectory, registry);
    if (this.#listing?.key === key) return this.#listing.listing;
    // The key is older than the listing, so a change in between is seen at the next request.
    const current = { key, listing: this.#list(key, registry) };
    this.#listing = current;
    current.listing.catch(() => {
      if (this.#listing === current) this.#listing = undefined;
    });
    return current.listing;
  }

  async #list(key: string, registry: TableRegistry): Promise<Listing> {
    const [entries, registered, mapping] = await Promise.all([
      this.#workspace.catalog(),
      registry.list(),
      registry.folders(),
    ]);
    const folders = new Map(registered.map((table) => [table.id.toLowerCase(), folderOf(table, mapping)]));
    const tables = entries.map(({ id, source }) => ({
      id,
      source,
      folder: folders.get(id.toLowerCase()) ?? null,
    }));
    return { key, tables, granted: new Map() };
  }
}

function grantedIn({ tables, granted }: Listing, grants: Grants): ReadonlySet<string> {
  const key = JSON.stringify([grants.tables, grants.sources, grants.folders]);
  const known = granted.get(key);
  if (known !== undefined) return known;
  const [ids, sources, folders] = [grants.tables, grants.sources, grants.folders].map(
    (names) => new Set(names.map((name) => name.toLowerCase())),
  ) as [Set<string>, Set<string>, Set<string>];
  const isGranted = ({ id, source, folder }: AuthorizedTable) =>
    ids.has(id.toLowerCase()) ||
    sources.has(source.toLowerCase()) ||
    (folder !== null && folders.has(folder.toLowerCase()));
  const found = new Set(tables.filter(isGranted).map(({ id }) => id));
  if (granted.size >= GRANTED_MAX) granted.clear();
  granted.set(key, found);
  return found;
}
