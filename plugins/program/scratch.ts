import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

/** Containers that share the folder have processes of equal numbers, but names of their own. */
const OWN = `agnes-program-${hostname().replaceAll(/[^A-Za-z0-9]/g, "")}-`;

/** Creates a folder for the files of one run, and removes those of processes that were killed. */
export async function createScratch(): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(OWN) ? /^(\d+)-/.exec(name.slice(OWN.length))?.[1] : undefined;
    // Another user's folder is not this one's to remove.
    if (pid !== undefined && !isRunning(Number(pid)))
      await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {});
  }
  return mkdtemp(join(tmpdir(), `${OWN}${process.pid}-`));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
