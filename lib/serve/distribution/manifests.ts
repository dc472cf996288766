import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";

import { eachOf, type Host, type Log } from "../../base/mod.ts";
import { PART_GRACE_MS } from "../../extract/format/mod.ts";
import { folderOf, type TableRegistry } from "../../tables/mod.ts";
import { publishedVersion } from "../published-version.ts";
import type { ServedWorkspace } from "../workspace.ts";
import { manifestTable, type ManifestTable, type TableFacts } from "./manifest-table.ts";
import { PublishedExtracts, type PublishedExtract } from "./published-extracts.ts";

/** The tables of a workspace at one published state. */
export interface ManifestState {
  /** All tables, by id. */
  readonly tables: readonly ManifestTable[];
  /** By id and by view name, in lower case. */
  readonly byName: ReadonlyMap<string, ManifestTable>;
  readonly sources: readonly string[];
  /** The versions of the extracts of the sources. */
  readonly extracts: string;
}

/** A manifest for one caller. */
export interface Manifest {
  readonly etag: string;
  /** The body, in pieces, because as a whole it may have hundreds of megabytes. @param serverTime ISO 8601 */
  pieces(serverTime: string): Iterator<string, void>;
}

/** How many tables are described before other requests get their turn. */
const SLICE = 200;
const EXTRACTS_AT_ONCE = 4;

/** The tables to download, described again only after a sync, a rebuild or a change of the registry. */
export class Manifests {
  readonly extracts: PublishedExtracts;
  readonly #host: Pick<Host, "files">;
  readonly #workspace: ServedWorkspace;
  /** The tables as they were last described, which is slow, by their id in lower case. */
  #described: ReadonlyMap<string, DescribedTable> = new Map();
  #current: { readonly version: string; readonly state: Promise<ManifestState> } | null = null;

  constructor(options: { readonly host: Host; readonly log: Log; readonly workspace: ServedWorkspace }) {
    const { host, log, workspace } = options;
    this.#host = host;
    this.#workspace = workspace;
    this.extracts = new PublishedExtracts(host, log, workspace.workspace.dataDirectory);
  }

  async read(): Promise<ManifestState> {
    const registry = await this.#workspace.tables();
    const { dataDirectory } = this.#workspace.workspace;
    const version = await publishedVersion(this.#host, dataDirectory, registry);
    const current = this.#current;
    if (current?.version === version) {
      const state = await current.state;
      const extracts = await this.#extractsOf(state.sources);
      if (state.extracts === versionsOf(extracts)) return state;
      // Another request may have begun to describe them meanwhile.
      if (this.#current !== current) return this.read();
    }
    // The version is older than what is read, so a change in between is seen at the next request.
    const next = { version, state: this.#describe(registry) };
    this.#current = next;
    next.state.catch(() => {
      if (this.#current === next) this.#current = null;
    });
    return next.state;
  }

  async #extractsOf(sources: readonly string[]): Promise<ReadonlyMap<string, PublishedExtract>> {
    const found = await eachOf(sources, EXTRACTS_AT_ONCE, (source) => this.extracts.read(source));
    return new Map(sources.map((source, at) => [source, found[at]!]));
  }

  async #describe(registry: TableRegistry): Promise<ManifestState> {
    const [entries, registered, folders] = await Promise.all([
      this.#workspace.catalog(),
      registry.list(),
      registry.folders(),
    ]);
    const sources = [...new Set([...entries, ...registered].map(({ source }) => source))].sort();
    const extracts = await this.#extractsOf(sources);
    const records = new Map(registered.map((record) => [record.id.toLowerCase(), record]));
    const entriesOf = new Map(entries.map((entry) => [entry.id.toLowerCase(), entry]));
    const published = new Map(
      [...extracts].flatMap(([source, { state }]) =>
        (state?.tables ?? []).map((table) => [`${source}.${table.name}`.toLowerCase(), table] as const),
      ),
    );
    const { sources: configured } = this.#workspace.workspace.config;
    const keys = [...new Set([...entriesOf.keys(), ...records.keys()])].sort();
    const tables: ManifestTable[] = [];
    const described = new Map<string, DescribedTable>();
    const byName = new Map<string, ManifestTable>();
    for (const [at, key] of keys.entries()) {
      if (at % SLICE === SLICE - 1) await setImmediate();
      const [entry, record] = [entriesOf.get(key), records.get(key)];
      const { id, source } = (entry ?? record)!;
      const plugin = Object.hasOwn(configured, source) ? configured[source]!.plugin : null;
      const extract = extracts.get(source)!;
      const facts = { id, entry, record, plugin, extract, published: published.get(key) };
      const version = factsVersion(facts, folders);
      const known = this.#described.get(key);
      const isSame = known?.version === version && known.published === facts.published;
      const table = isSame ? known.table : manifestTable(facts, folders, known?.table);
      described.set(key, { version, published: facts.published, table });
      tables.push(table);
      if (table.viewName !== null) byName.set(table.viewName.toLowerCase(), table);
    }
    // Ids have precedence over view names.
    for (const table of tables) byName.set(table.id.toLowerCase(), table);
    this.#described = described;
    return { tables, byName, sources, extracts: versionsOf(extracts) };
  }
}

/** A table, and what it was described from. */
interface DescribedTable {
  readonly version: string;
  readonly published: TableFacts["published"];
  readonly table: ManifestTable;
}

/** Changes with each fact of a table besides `published`. */
function factsVersion(
  { entry, record, plugin, extract }: TableFacts,
  folders: Readonly<Record<string, string>>,
): string {
  const { checkedAt: _checkedAt, ...shown } = entry ?? { checkedAt: null };
  const folder = record === undefined ? null : folderOf(record, folders);
  const { problem, state } = extract;
  return JSON.stringify([shown, record?.version, plugin, folder, problem, state?.generation.number]);
}

function versionsOf(extracts: ReadonlyMap<string, PublishedExtract>): string {
  return JSON.stringify([...extracts].map(([source, { version }]) => [source, version]));
}

const PIECE_LENGTH = 1 << 18;

/** The manifest of some tables. */
export function manifestOf(tables: readonly ManifestTable[], tableMode: "all" | "explicit"): Manifest {
  const head = `"version":1,"table_mode":${JSON.stringify(tableMode)},"grace_seconds":${PART_GRACE_MS / 1000}`;
  const hash = createHash("sha256").update(head);
  for (const { id, digest } of tables) hash.update(`\n${id} ${digest}`);
  return {
    etag: `"${hash.digest("hex")}"`,
    *pieces(serverTime) {
      let piece = `{${head},"server_time":${JSON.stringify(serverTime)},"tables":{\n`;
      for (const [at, { id, json }] of tables.entries()) {
        piece += `${at === 0 ? "" : ",\n"}${JSON.stringify(id)}:${json}`;
        if (piece.length < PIECE_LENGTH) continue;
        yield piece;
        piece = "";
      }
      yield `${piece}\n}}`;
    },
  };
}
