import { join } from "node:path";

import { createHost } from "../../lib/base/mod.ts";
import { isProfile } from "../../lib/profile/mod.ts";
import { dataPaths } from "../../lib/workspace/mod.ts";
import { plural } from "../terminal/figures.ts";
import { ok, warning, type Check } from "./check.ts";

/** Reads all kept profiles. A damaged one is not used, so it is no error. */
export async function profileChecks(dataDirectory: string): Promise<readonly Check[]> {
  const { files } = createHost();
  const directory = dataPaths.profiles(dataDirectory);
  const damaged: string[] = [];
  let count = 0;
  for (const source of (await files.list(directory)) ?? []) {
    for (const table of (await files.list(join(directory, source))) ?? []) {
      for (const file of (await files.list(join(directory, source, table))) ?? []) {
        if (!/^(\d+|foreign)\.[0-9a-f]{32}\.json$/.test(file)) continue;
        const path = join(directory, source, table, file);
        const bytes = await files.read(path);
        // It may have been replaced meanwhile.
        if (bytes === null) continue;
        count += 1;
        if (!isProfile(bytes)) damaged.push(path);
      }
    }
  }
  if (count === 0) return [];
  if (damaged.length === 0) return [ok("profiles", plural(count, "profile"))];
  return [
    warning(
      "profiles",
      `${plural(damaged.length, "profile")} of ${count} cannot be read, such as ${damaged[0]!}`,
      "They are computed again by `agnes sync`, or `agnes profile TABLE`.",
    ),
  ];
}
