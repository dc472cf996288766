import { resolve } from "node:path";

import { AgnesError } from "./errors/mod.ts";
import type { Host } from "./host.ts";
import { publishFile } from "./publish.ts";

/** Paths of descriptors. On Linux they are links to a file, if the descriptor is that of a file. */
const DESCRIPTOR = /^\/dev\/(?:stdout|stderr|fd\/\d+)$|^\/proc\/self\/fd\/\d+$/;

/**
 * Writes to a path that a user chose. A file is replaced by one rename after `write` ends. The target of a link is
 * replaced, not the link. Devices, pipes and descriptors of the process, such as `/dev/stdout`, are written to directly.
 *
 * @param write receives the path to write to, and whether it is a file, which can be written in any order; otherwise `write`
 *   appends, because a descriptor can be that of a file with earlier content
 * @throws `invalid_input`, `disk_full`, `file_failed`, and the errors of `write`
 */
export async function writeOutput(
  host: Pick<Host, "files" | "random">,
  output: string,
  write: (path: string, isFile: boolean) => Promise<void>,
): Promise<void> {
  if (output === "" || output.includes("\0")) {
    const reason = output === "" ? "it is empty" : "it contains a NUL character";
    throw new AgnesError("invalid_input", { what: "the path of the output", reason });
  }
  const target = resolve(output);
  const refuse = (reason: string) => {
    throw new AgnesError("file_failed", { operation: "write", path: target, reason });
  };
  if (DESCRIPTOR.test(target)) return write(target, false);
  const real = await host.files.realPath(target);
  const found = await host.files.identify(real ?? target);
  if (found?.kind === "directory") refuse("it is a folder");
  if (found === null && output.endsWith("/")) refuse("its name ends like that of a folder");
  if (found?.kind === "link") refuse("it is a link to a file that does not exist");
  if (found === null || found.kind === "file")
    await publishFile(host, real ?? target, (temporary) => write(temporary, true));
  else await write(target, false);
}
