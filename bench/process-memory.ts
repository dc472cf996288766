import { residentBytes } from "../lib/base/mod.ts";
import { childrenOf } from "./process-time.ts";

/** The resident memory of a server and its workers, in MB. */
export async function memoryMb(pid: number): Promise<{ readonly server: number; readonly workers: number }> {
  const children = childrenOf(pid);
  const sizes = await residentBytes([pid, ...children]);
  const workers = children.reduce((sum, child) => sum + (sizes.get(child) ?? 0), 0);
  return { server: (sizes.get(pid) ?? 0) / 1e6, workers: workers / 1e6 };
}
