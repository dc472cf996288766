import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { processExists, randomName, type Host } from "../../base/mod.ts";

/** The folder of the temporary files of all workers of one process. Its name has the process, so that others can remove it. */
export class WorkerFolders {
  readonly #host: Host;
  readonly #parent: string;
  #root: Promise<string> | undefined;
  #isClosed = false;

  /** @param parent the folder for the folder. Default: that of the system for temporary files */
  constructor(host: Host, parent: string = tmpdir()) {
    this.#host = host;
    this.#parent = parent;
  }

  /** Creates the folder of one worker. */
  async newFolder(): Promise<string> {
    return this.#host.files.makeTemporaryDirectory("worker-", { parent: await this.#open() });
  }

  /** Returns the path of a new file. */
  async newPath(): Promise<string> {
    return join(await this.#open(), `rows-${randomName(this.#host, 16)}`);
  }

  /** Removes the folder of one worker. A failure only leaves the folder until `close`. */
  async remove(folder: string): Promise<void> {
    await this.#host.files.removeDirectory(folder).catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const root = await this.#root?.catch(() => undefined);
    if (root !== undefined) await this.remove(root);
  }

  #open(): Promise<string> {
    this.#root = this.#usable(this.#root);
    return this.#root;
  }

  /** Creates the folder again if that failed before, or if a program that removes old temporary files removed it. */
  async #usable(before: Promise<string> | undefined): Promise<string> {
    const root = await before?.catch(() => undefined);
    if (root !== undefined && (this.#isClosed || (await this.#host.files.stat(root)) !== null)) return root;
    return this.#create();
  }

  async #create(): Promise<string> {
    const { files } = this.#host;
    for (const name of (await files.list(this.#parent).catch(() => null)) ?? []) {
      if (isAbandoned(name)) await this.remove(join(this.#parent, name));
    }
    return files.makeTemporaryDirectory(`${PREFIX}${process.pid}-`, { parent: this.#parent });
  }
}

/** Other machines may use the same folder. */
const PREFIX = `agnes-workers-${hostname()}-`;

/** Whether a name is that of a folder whose process has ended. */
function isAbandoned(name: string): boolean {
  if (!name.startsWith(PREFIX)) return false;
  // The name of another machine may start with that of this one.
  const pid = Number(/^(\d+)-[^-]+$/.exec(name.slice(PREFIX.length))?.[1]);
  return pid > 0 && !processExists(pid);
}
