import { inspect } from "node:util";

/**
 * A secret value that cannot be logged, printed, serialised or concatenated by accident.
 *
 * @example
 * ```ts
 * import { Secret } from "agnes/kit";
 * const token = new Secret("CRM_TOKEN", "s3cret");
 * String(token); // "[secret CRM_TOKEN]"
 * token.reveal(); // "s3cret"
 * ```
 */
export class Secret {
  /** The name of the environment variable that contains the value. */
  readonly name: string;
  readonly #value: string;

  /** Creates a secret from its value, for tests and for tokens that a connector obtains itself. */
  constructor(name: string, value: string) {
    this.name = name;
    this.#value = value;
  }

  /** Returns the value; pass it only to the call that needs it. */
  reveal(): string {
    return this.#value;
  }

  /** Returns `[secret NAME]`. */
  toString(): string {
    return `[secret ${this.name}]`;
  }

  /** Returns `[secret NAME]`. */
  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
