import { join } from "node:path";

import { createHost } from "../../lib/base/mod.ts";
import { quarantineDirectory } from "../../lib/push/mod.ts";
import { plural } from "../terminal/figures.ts";
import { warning, type Check } from "./check.ts";

/** The pushed events of a source that could not be merged, which are kept. @param directory the folder of its extract */
export async function eventChecks(source: string, directory: string): Promise<readonly Check[]> {
  const { files } = createHost();
  const folder = quarantineDirectory(directory);
  let events = 0;
  for (const name of (await files.list(folder)) ?? []) {
    const text = new TextDecoder().decode((await files.read(join(folder, name))) ?? new Uint8Array());
    events += text.split("\n").filter((line) => line !== "").length;
  }
  if (events === 0) return [];
  return [
    warning(
      `events of ${source}`,
      `${plural(events, "event")} could not be merged; they are in ${folder}`,
      `Each line has the code of its error. Correct the cause, move the files to ${join(directory, "spool")}, and run \`agnes sync ${source}\`.`,
    ),
  ];
}
