import * as v from "valibot";

import { statusOf, type StorageApi } from "./api.ts";
import { errors } from "../errors.ts";
import type { Settings } from "../options.ts";
import { branchSchema } from "./schemas.ts";
import { SharedCall } from "./shared-call.ts";

/** The branch of the options, found in the project before it is relied on. */
export class BranchCheck {
  readonly #api: StorageApi;
  readonly #branch: string | undefined;
  readonly #found = new SharedCall((signal) => this.#find(signal));

  constructor(api: StorageApi, { branch }: Pick<Settings, "branch">) {
    this.#api = api;
    this.#branch = branch;
  }

  /**
   * Returns the name of the branch; null if the options have none, or the token may not list the branches.
   * @throws `keboola/branch_missing`
   */
  name(signal: AbortSignal): Promise<string | null> {
    return this.#branch === undefined ? Promise.resolve(null) : this.#found.get(signal);
  }

  async #find(signal: AbortSignal): Promise<string | null> {
    const branch = this.#branch!;
    try {
      const request = { schema: v.array(branchSchema), what: "the branches of the project", signal };
      const found = (await this.#api.call("/dev-branches/", request)).find(({ id }) => id === branch);
      if (found === undefined) throw errors.branch_missing({ branch });
      return found.name;
    } catch (error) {
      // Not known, so not missing.
      if (statusOf(error) !== 403 && statusOf(error) !== 404) throw error;
      return null;
    }
  }
}
