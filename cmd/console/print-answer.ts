import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { finished } from "node:stream/promises";

import type { Agnes } from "../../lib/agnes.ts";
import { createHost, fileError, publishFile } from "../../lib/base/mod.ts";
import { cellTexts, isNumeric } from "./cell-text.ts";
import type { Cli } from "./cli.ts";
import { countText, durationText, plural } from "./figures.ts";
import { renderTable, type Cell } from "./print-table.ts";

/** The ways an answer can be printed. */
export const answerFormats = ["table", "json", "ndjson", "csv", "arrow", "parquet"] as const;
export type AnswerFormat = (typeof answerFormats)[number];
