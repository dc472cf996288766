import { promises as fs } from "node:fs";

import { areNodeFiles, blockingFiles, type Files } from "./files.ts";

/** The numbers by which Linux names file systems of disks of this machine and of its memory. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x5846_5342, // XFS
  0x9123_683e, // Btrfs
  0x2fc1_2fc1, // ZFS
  0xf2f5_2010, // F2FS
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs, as in containers
]);

/**
 * Returns the file system for many small lookups at or below paths: `blockingFiles` if all are on disks of this machine, where
 * the kernel responds from its memory; otherwise `files`, because another machine may respond late or never. Files that are not
 * the real ones are returned as they are.
 */
export async function quickLookups(files: Files, paths: readonly string[]): Promise<Files> {
  if (!areNodeFiles(files) || process.platform !== "linux") return files;
  const local = await Promise.all(paths.map(isOnLocalDisk));
  return local.every(Boolean) ? blockingFiles() : files;
}

/** Whether a path is on a disk of this machine; `false` if that is unknown. */
async function isOnLocalDisk(path: string): Promise<boolean> {
  const found = await fs.statfs(path).catch(() => null);
  return found !== null && LOCAL_TYPES.has(found.type);
}
