import type { Secret } from "agnes/kit";

/** An address that a cloud accepts for a limited time. */
export interface CloudAddress {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | Secret>>;
}

/** The files of one export in their cloud, with the credentials of one response of the stack. */
export interface CloudFiles {
  /** The address of the list of slices. */
  manifest(): Promise<CloudAddress>;
  /**
   * The address of a slice by its entry in that list.
   * @throws `keboola/file_untrusted` for a place that the credentials are not for
   */
  slice(entry: string): Promise<CloudAddress>;
  /** When the credentials expire; null: not known. */
  readonly expiresAt: Date | null;
}
