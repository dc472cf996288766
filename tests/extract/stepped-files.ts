import type { Files } from "../../lib/base/mod.ts";
import { changingOperations } from "../fakes/faulty-files.ts";

/** Files that call `before` with the number of each changing step, from 1. */
export function steppedFiles(
  files: Files,
  before: (step: number, name: string, path: string) => void,
): Files {
  let step = 0;
  const stepped: Record<string, unknown> = { ...files };
  for (const name of changingOperations) {
    stepped[name] = async (path: string, ...rest: unknown[]) => {
      before(++step, name, path);
      return (files[name] as (...all: unknown[]) => Promise<unknown>)(path, ...rest);
    };
  }
  return stepped as unknown as Files;
}
