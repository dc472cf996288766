import { join } from "node:path";

import { createHost, isAgnesError, silentLog, type Host } from "../../lib/base/mod.ts";
import { fileStorage, type CatalogServices } from "../../lib/catalog/mod.ts";
import { MetadataStore } from "../../lib/metadata/mod.ts";
import { Tokens } from "../../lib/serve/mod.ts";
import { HealthRecords, Runs, SyncState } from "../../lib/sync/mod.ts";
import { dataPaths } from "../../lib/workspace/mod.ts";
import { plural } from "../terminal/figures.ts";
import { attempt, failed, ok, type Check } from "./check.ts";

/** A catalog of the workspace besides the registry. */
interface CheckedCatalog {
  /** The name of the check. */
  readonly name: string;
  /** Its folder in the state. */
  readonly folder: string;
  /** One of its records. */
  readonly record: string;
  /** Opens it, reads all of it and returns the number of records. @throws `catalog_corrupt` */
  verify(services: CatalogServices & { readonly host: Host; readonly directory: string }): Promise<number>;
  /** What is lost without it, and the command that begins it again. */
  readonly remedy: string;
}

const catalogs: readonly CheckedCatalog[] = [
  {
    name: "sync state",
    folder: "sync",
    record: "table",
    verify: (services) => verified(SyncState.open(services)),
    remedy: "without it, tables count as never synced until `agnes sync`",
  },
  {
    name: "runs",
    folder: "runs",
    record: "run",
    verify: (services) => verified(Runs.open(services)),
    remedy: "without it, only the history of runs is lost, and `agnes sync` begins it again",
  },
  {
    name: "source health",
    folder: "health",
    record: "source",
    verify: (services) => verified(HealthRecords.open(services)),
    remedy: "without it, the health of sources is unknown until `agnes sync`",
  },
  {
    name: "metadata cache",
    folder: "metadata",
    record: "record",
    async verify(services) {
      const store = await MetadataStore.open(services);
      try {
        return await store.verify();
      } finally {
        await store.close();
      }
    },
    remedy: "`agnes metadata refresh` fills it again",
  },
  {
    name: "tokens",
    folder: "tokens",
    record: "token",
    async verify(services) {
      await using tokens = await Tokens.open(services);
      return await tokens.verifyStored();
    },
    remedy: "without it, no token is valid until `agnes token create NAME`",
  },
];

/** Reads all of a store, and closes it. @returns the number of records */
async function verified(opening: Promise<AsyncDisposable & { verify(): Promise<number> }>): Promise<number> {
  await using store = await opening;
  return await store.verify();
}

/** Reads each catalog of the workspace that exists, to detect any damage. A server may use them at the same time. */
export async function catalogChecks(dataDirectory: string): Promise<readonly Check[]> {
  const host = createHost();
  const state = dataPaths.state(dataDirectory);
  const checks = catalogs.map(({ name, folder, record, remedy, ...catalog }) =>
    attempt(name, async () => {
      const path = join(state, folder);
      if ((await host.files.stat(path)) === null) return [];
      const storage = fileStorage({ directory: state, host });
      const directory = dataPaths.running(dataDirectory);
      try {
        const count = await catalog.verify({ storage, host, log: silentLog, directory });
        return [ok(name, plural(count, record))];
      } catch (error) {
        if (!isAgnesError(error, "catalog_corrupt")) throw error;
        const { hint, ...check } = failed(name, error);
        return [{ ...check, hint: `${hint} Or stop all programs and move ${path} away: ${remedy}.` }];
      }
    }),
  );
  return (await Promise.all(checks)).flat();
}
