import { createHash } from "node:crypto";
import { join } from "node:path";

import { bigintAsText, publishFile, TEMPORARY_SUFFIX, type Host } from "../base/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { TableFigures } from "./types.ts";

/** Another format is computed again. */
const FORMAT = 1;

/** A computed profile as stored. */
export interface StoredProfile {
  readonly generated_at: string;
  /** The generation that was profiled; null: the extract of another program. */
  readonly generation: number | null;
  /** Identifies the content of the table. */
  readonly content: string;
  readonly figures: TableFigures;
}

/** The last attempt that failed. */
export interface FailedProfile {
  readonly content: string;
  readonly failed_at: string;
  readonly code: string | null;
  readonly reason: string;
}

type StoreHost = Pick<Host, "files" | "random" | "now">;

/** A table of the workspace. */
interface TableName {
  readonly source: string;
  readonly name: string;
}

/** A kept profile, by the name of its file. */
interface KeptFile {
  readonly file: string;
  readonly generation: number | null;
  readonly content: string;
}

/** What is kept of a table. */
export interface KeptProfiles {
  /** Of all kept states of the table, newest first. */
  readonly profiles: readonly KeptFile[];
  readonly failure: FailedProfile | null;
}

/**
 * The computed profiles of a workspace: `profiles/<source>/<table>/<generation>.<content>.json`. Each file is replaced by one
 * rename. Only the profiles of kept generations stay, and the newest one.
 */
export class ProfileStore {
  readonly #host: StoreHost;
  readonly #dataDirectory: string;

  constructor(host: StoreHost, dataDirectory: string) {
    this.#host = host;
    this.#dataDirectory = dataDirectory;
  }

  /** Lists what is kept of a table, without reading the profiles. */
  async kept(table: TableName): Promise<KeptProfiles> {
    const directory = this.#directory(table);
    const names = (await this.#host.files.list(directory)) ?? [];
    const profiles = names.flatMap((file) => {
      const [, generation, content] = /^(\d+|foreign)\.([0-9a-f]{32})\.json$/.exec(file) ?? [];
      if (generation === undefined) return [];
      return [{ file, generation: generation === "foreign" ? null : Number(generation), content: content! }];
    });
    const failure = names.includes(FAILURE)
      ? checkedFailure(await this.#read(join(directory, FAILURE)))
      : null;
    return {
      profiles: profiles.sort((a, b) => (b.generation ?? 0) - (a.generation ?? 0)),
      failure,
    };
  }

  /** Reads a kept profile; null if it was removed meanwhile, is damaged or has another format. */
  async read(table: TableName, { file, content }: KeptFile): Promise<StoredProfile | null> {
    const stored = await this.#read(join(this.#directory(table), file));
    const profile = stored as (StoredProfile & { readonly format: unknown; readonly sum: unknown }) | null;
    if (profile?.format !== FORMAT || profile.content !== content) return null;
    return profile.sum === sumOf(profile.figures) ? profile : null;
  }

  /**
   * Publishes a profile, and removes those of generations that no longer exist.
   * @param oldest the oldest generation that is kept
   */
  async write(table: TableName, profile: StoredProfile, oldest: number): Promise<void> {
    const directory = this.#directory(table);
    const file = `${profile.generation ?? "foreign"}.${profile.content}.json`;
    const content = { format: FORMAT, ...profile, sum: sumOf(profile.figures) };
    await publishFile(this.#host, join(directory, file), JSON.stringify(content, bigintAsText));
    await this.#host.files.remove(join(directory, FAILURE));
    const { profiles } = await this.kept(table);
    const old = profiles.filter(
      (kept) => kept.file !== file && (kept.generation === null || kept.generation < oldest),
    );
    for (const { file: name } of old) await this.#host.files.remove(join(directory, name));
    await this.#removeTemporary(directory);
  }

  /** Records that a profile could not be computed. */
  async fail(table: TableName, failure: FailedProfile): Promise<void> {
    await publishFile(this.#host, join(this.#directory(table), FAILURE), JSON.stringify(failure));
  }

  /** Removes all profiles of a table. */
  async forget(table: TableName): Promise<void> {
    await this.#host.files.removeDirectory(this.#directory(table));
  }

  async #removeTemporary(directory: string): Promise<void> {
    const { files } = this.#host;
    for (const name of (await files.list(directory)) ?? []) {
      if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
      const path = join(directory, name);
      const stat = await files.stat(path);
      // Left by a process that ended while it wrote.
      if (stat !== null && this.#host.now().getTime() - stat.modifiedAtMs > LEFT_MS) await files.remove(path);
    }
  }

  async #read(path: string): Promise<unknown> {
    const bytes = await this.#host.files.read(path);
    if (bytes === null) return null;
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch {
      return null; // A damaged file is as good as none: the profile is computed again.
    }
  }

  /** Names are compared without case, as in SQL. Names of other programs' tables may contain anything. */
  #directory({ source, name }: TableName): string {
    const folded = name.toLowerCase();
    const folder = /^[a-z][a-z0-9_]{0,63}$/.test(folded) ? folded : `${digest(folded)}.other`;
    return join(dataPaths.profiles(this.#dataDirectory), source, folder);
  }
}

/** Whether the bytes of a file are a whole profile. Those of another format count too, because they are computed again. */
export function isProfile(bytes: Uint8Array): boolean {
  try {
    const stored = JSON.parse(new TextDecoder().decode(bytes)) as Partial<StoredProfile> & {
      readonly format?: unknown;
      readonly sum?: unknown;
    };
    return stored.format !== FORMAT || stored.sum === sumOf(stored.figures);
  } catch {
    return false;
  }
}

const FAILURE = "failed.json";

/** After this time, a temporary file is not being written anymore. */
const LEFT_MS = 3_600_000;

/** Identifies content by 32 hexadecimal digits. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function sumOf(figures: unknown): string {
  return digest(JSON.stringify(figures, bigintAsText) ?? "");
}

function checkedFailure(stored: unknown): FailedProfile | null {
  const failure = stored as Partial<FailedProfile> | null;
  return typeof failure?.content === "string" && typeof failure.reason === "string"
    ? { failed_at: "", code: null, ...(failure as Pick<FailedProfile, "content" | "reason">) }
    : null;
}
