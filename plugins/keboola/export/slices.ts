import { AgnesError, type DownloadFile, type Http } from "agnes/kit";

import type { AddressCheck } from "../api/address.ts";
import { cloudFiles, type CloudAddress, type CloudFiles } from "../clouds/mod.ts";
import { errors } from "../errors.ts";
import { manifestSchema, type StorageFile } from "../api/schemas.ts";

/** Credentials are renewed this long before they expire. */
const RENEWED_BEFORE_MS = 60_000;
/** As long as the stack may be in maintenance. */
const MANIFEST_TIMEOUT_MS = 30 * 60_000;

/** What the files of an export are downloaded with. */
export interface SliceServices {
  /** Without a base URL: the clouds never receive the token. */
  readonly http: Http;
  readonly address: AddressCheck;
  readonly now: () => Date;
  /** Returns the file with new credentials; null if it does not exist any more. */
  readonly file: (signal: AbortSignal) => Promise<StorageFile | null>;
}

/** One response of the stack about a file. */
interface Access {
  readonly file: StorageFile;
  readonly cloud: CloudFiles;
  /** The sorted entries of the list of slices, once it is read. */
  entries?: Promise<readonly string[]>;
}

/** The files of one export. Their credentials are renewed when they expire or are rejected. */
export class ExportSlices {
  readonly #services: SliceServices;
  readonly #table: string;
  #access: Access;
  #renewing: Promise<Access> | undefined;

  constructor(services: SliceServices, table: string, file: StorageFile) {
    this.#services = services;
    this.#table = table;
    this.#access = this.#accessTo(file);
  }

  /** Lists the files to download in their order; none if the export has no rows. */
  async list(signal: AbortSignal): Promise<readonly DownloadFile[]> {
    const { file } = this.#access;
    if (file.isSliced !== true) {
      const label = `the file of the export of ${this.#table}`;
      return [{ key: file.id, label, url: this.#urlOf(async ({ file: { url } }) => ({ url })) }];
    }
    const entries = await this.#manifest(signal);
    return entries.map((entry, at) => ({
      key: `${file.id}/${at}`,
      label: `slice ${at + 1} of ${entries.length} of the export of ${this.#table}`,
      url: this.#urlOf(async (access, stop) => {
        // A signed address expires with its list; others are signed again.
        if (!isSigned(entry)) return access.cloud.slice(entry);
        const now = await this.#entriesOf(access, stop);
        if (now.length !== entries.length || pathOf(now[at]!) !== pathOf(entry))
          throw errors.export_lost({ table: this.#table, what: "the slices of its file" });
        return access.cloud.slice(now[at]!);
      }),
    }));
  }

  /** Reads the list of slices at once, because its address is valid for an hour only. */
  async #manifest(signal: AbortSignal): Promise<readonly string[]> {
    const first = this.#access;
    try {
      return await this.#entriesOf(first, signal);
    } catch (error) {
      if (!isRefused(error)) throw error;
      return this.#entriesOf(await this.#renewed(first, signal), signal);
    }
  }

  #entriesOf(access: Access, signal: AbortSignal): Promise<readonly string[]> {
    access.entries ??= this.#readEntries(access, signal).catch((error: unknown) => {
      // The next attempt reads the list again.
      delete access.entries;
      throw error;
    });
    return access.entries;
  }

  async #readEntries({ cloud }: Access, signal: AbortSignal): Promise<readonly string[]> {
    const { url, headers } = await cloud.manifest();
    await this.#services.address.check(url);
    const { entries } = await this.#services.http.json(url, {
      schema: manifestSchema,
      timeoutMs: MANIFEST_TIMEOUT_MS,
      signal,
      ...(headers === undefined ? {} : { headers }),
    });
    return sortedEntries(entries.map((entry) => entry.url));
  }

  #urlOf(
    addressOf: (access: Access, signal: AbortSignal) => Promise<CloudAddress>,
  ): Exclude<DownloadFile["url"], string> {
    let used: Access | undefined;
    return async ({ rejected, signal }) => {
      const isOver = rejected && used === this.#access;
      used = isOver || this.#expires() ? await this.#renewed(this.#access, signal) : this.#access;
      const address = await addressOf(used, signal);
      await this.#services.address.check(address.url);
      return address;
    };
  }

  #expires(): boolean {
    const { expiresAt } = this.#access.cloud;
    return expiresAt !== null && expiresAt.getTime() - this.#services.now().getTime() < RENEWED_BEFORE_MS;
  }

  /** Renews the access that all slices share, once for all that ask at the same time. */
  async #renewed(old: Access, signal: AbortSignal): Promise<Access> {
    if (this.#access !== old) return this.#access;
    this.#renewing ??= this.#renew(signal).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(signal: AbortSignal): Promise<Access> {
    const file = await this.#services.file(signal);
    if (file === null) throw errors.export_lost({ table: this.#table, what: "its file" });
    this.#access = this.#accessTo(file);
    return this.#access;
  }

  #accessTo(file: StorageFile): Access {
    return { file, cloud: cloudFiles(file, { table: this.#table, now: this.#services.now }) };
  }
}

/** Returns the error of a cloud with a code of the plugin. */
export function sliceError(error: unknown, table: string): unknown {
  if (!(error instanceof AgnesError)) return error;
  const { reason = error.message } = error.details as { readonly reason?: string };
  if (isRefused(error)) return errors.file_refused({ table, reason }, { cause: error });
  if (error.code !== "source_unavailable") return error;
  return errors.unavailable({ what: `a file of the export of ${table}`, reason }, { cause: error });
}

function isRefused(error: unknown): error is AgnesError {
  return (
    error instanceof AgnesError && (error.code === "source_unauthorized" || error.code === "source_refused")
  );
}

/** Sorts addresses by their paths, with numbers in their numeric order: slice 2 comes before slice 10. */
export function sortedEntries(entries: readonly string[]): readonly string[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  const keyed = entries.map((entry) => ({ entry, path: pathOf(entry) }));
  return keyed.toSorted((one, other) => compare(one.path, other.path)).map(({ entry }) => entry);
}

/** Whether an address carries its own signature. */
function isSigned(entry: string): boolean {
  return /^https?:/.test(entry) && entry.includes("?");
}

function pathOf(entry: string): string {
  // `gs://` and `s3://` have no path that URL parses in all runtimes.
  const [place] = entry.split("?");
  return place!.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "");
}
