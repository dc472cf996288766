import type { CloudContent, KeboolaCloud } from "./cloud.ts";
import { formatDate } from "./dates.ts";
import { ApiError, denied, invalid } from "./errors.ts";
import { shuffled, type ExportedSlice } from "./exports.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaToken } from "./tokens.ts";

/** The lifetime of a file: 15 days by default (blueprint, Group Files). */
export const FILE_MS = 15 * 86_400_000;

/** A file of the file storage. */
export interface KeboolaFile {
  readonly id: number;
  readonly name: string;
  /** The key of the file, or of its slices without their endings. */
  readonly key: string;
  readonly fileType: "csv" | "parquet";
  readonly isSliced: boolean;
  readonly createdAt: Date;
  readonly tokenId: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number | null;
  /** The keys of the slices, in the order of the manifest. */
  readonly slices: readonly string[];
}

/** The files of a project and the cloud that keeps them. */
export class FileStorage {
  readonly files: KeboolaFile[] = [];
  readonly cloud: KeboolaCloud;
  readonly #script: KeboolaScript;
  readonly #world: { readonly now: () => Date; readonly nextId: () => number; readonly random: () => number };

  constructor(
    cloud: KeboolaCloud,
    script: KeboolaScript,
    world: { readonly now: () => Date; readonly nextId: () => number; readonly random: () => number },
  ) {
    this.cloud = cloud;
    this.#script = script;
    this.#world = world;
  }

  /** Stores the slices of an export, and their manifest if it is sliced. */
  async store(
    tableId: string,
    fileType: "csv" | "parquet",
    slices: readonly ExportedSlice[],
    tokenId: string,
  ): Promise<KeboolaFile> {
    const { isSliced = true } = this.#script;
    const id = this.#world.nextId();
    const key = `${this.#prefix()}/table-exports/${tableId.replaceAll(".", "/")}/${id}.${fileType}`;
    const keys = slices.map(
      ({ isGzip }, at) => `${key}${isSliced ? `_0_0_${at}.${fileType}` : ""}${this.#ending(isGzip)}`,
    );
    let sizeBytes = 0;
    for (const [at, { content, sizeBytes: size }] of slices.entries()) {
      sizeBytes += size;
      await this.cloud.write(keys[at]!, content);
    }
    const ordered = this.#order(keys);
    if (isSliced) await this.cloud.write(`${key}manifest`, this.#manifest(ordered));
    const file: KeboolaFile = {
      id,
      name: `${tableId}.${fileType}`,
      key: isSliced ? key : (keys[0] ?? key),
      fileType,
      isSliced,
      createdAt: this.#world.now(),
      tokenId,
      tags: ["table-export"],
      sizeBytes,
      slices: ordered,
    };
    this.files.push(file);
    return file;
  }

  /** Makes a file that is to be uploaded. */
  prepare(
    name: string,
    { isSliced, tags, sizeBytes }: Pick<KeboolaFile, "isSliced" | "tags" | "sizeBytes">,
    tokenId: string,
  ): KeboolaFile {
    const id = this.#world.nextId();
    const key = `${this.#prefix()}/files/${id}.${name}`;
    const file = { id, name, key, fileType: "csv" as const, isSliced, tags, sizeBytes, tokenId, slices: [] };
    this.files.push({ ...file, createdAt: this.#world.now() });
    return this.files.at(-1)!;
  }

  /** @throws ApiError 404, or 403 for a file of another token */
  find(id: number, token: KeboolaToken): KeboolaFile {
    const oldest = this.#world.now().getTime() - FILE_MS;
    const file = this.files.find((one) => one.id === id && one.createdAt.getTime() > oldest);
    if (file === undefined) throw new ApiError(404, "storage.files.notFound", `File "${id}" not found`);
    if (file.tokenId !== token.id && !token.canReadAllFileUploads) throw denied();
    return file;
  }

  /** Gives new credentials for an upload, which only Google's need. @throws ApiError 400 for another cloud */
  refresh(file: KeboolaFile, token: KeboolaToken): Readonly<Record<string, unknown>> {
    if (this.cloud.provider !== "gcp") throw invalid("Credentials can be refreshed for files in GCS only.");
    return this.describe(file, token, "upload");
  }

  /** A file as the API returns it. */
  describe(
    file: KeboolaFile,
    token: KeboolaToken,
    federation: "none" | "download" | "upload",
  ): Readonly<Record<string, unknown>> {
    const { provider } = this.cloud;
    return {
      id: file.id,
      created: formatDate(file.createdAt),
      isPublic: false,
      isSliced: file.isSliced,
      isEncrypted: true,
      name: file.name,
      fileType: file.fileType,
      url: this.cloud.signedUrl(file.isSliced ? `${file.key}manifest` : file.key),
      ...(provider === undefined || this.#script.answers === "recorded" ? {} : { provider }),
      region: "us-east-1",
      sizeBytes: file.sizeBytes,
      tags: file.tags,
      maxAgeDays: 15,
      runId: null,
      runIds: [],
      creatorToken: { id: Number(file.tokenId), description: token.description },
      ...(federation === "download" ? this.cloud.downloadFields(file.key) : {}),
      ...(federation === "upload" ? this.cloud.uploadFields(file.key) : {}),
    };
  }

  /** Rebuilt at each reading, because links of a plain manifest are signed. */
  #manifest(keys: readonly string[]): CloudContent {
    const { entryUrl = (url: string) => url } = this.#script;
    return () => {
      const entries = keys.map((key, at) => ({ url: entryUrl(this.cloud.entryUrl(key), at) }));
      return Buffer.from(JSON.stringify({ entries }));
    };
  }

  #prefix(): string {
    return this.#script.keyPrefix ?? "exp-15";
  }

  #ending(isGzip: boolean): string {
    return (this.#script.gzipNames ?? isGzip) ? ".gz" : "";
  }

  #order(keys: readonly string[]): readonly string[] {
    const { sliceOrder = "lexical" } = this.#script;
    if (sliceOrder === "natural") return keys;
    return sliceOrder === "lexical" ? keys.toSorted() : shuffled(keys, this.#world.random);
  }
}
