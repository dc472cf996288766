import accessors from "@duckdb/node-api/lib/vectors/dataAccessors.js";

const decoders = { textDecoder: new TextDecoder("utf-8", { ignoreBOM: true }) };

/**
 * Makes the client return texts with all of their characters. By default, its decoder removes U+FEFF from the start of
 * each text, so bounds and keys differ from those in the files, and rows are missing or occur twice.
 */
export function keepWholeTexts(): void {
  Object.assign(accessors, decoders);
}
