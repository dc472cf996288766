import { expect, test } from "bun:test";

import * as fc from "fast-check";

import { AgnesError } from "../../../lib/base/mod.ts";
import { checkMessage } from "../../../lib/sync/child/check-message.ts";
import { messageLine, MessageReader, type FromProcess } from "../../../lib/sync/child/messages.ts";

/** What a reader passes on for pieces of a stream. */
function read(pieces: readonly Uint8Array[]): readonly unknown[] {
  const seen: unknown[] = [];
  const reader = new MessageReader<FromProcess>({
    message: (message) => seen.push(message),
    text: (text) => seen.push(text),
  });
  for (const piece of pieces) reader.take(piece);
  reader.end();
  return seen;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

const progressOf = (table: string) =>
  ({ table, phase: "reading", rows: 1, sizeBytes: 2, rowsPerSecond: 3, elapsedMs: 4 }) as const;
const progress = (table: string): FromProcess => ({ type: "progress", progress: progressOf(table) });

test("messages arrive in order between the text of others, wherever the stream is cut", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "{", '"', "é", "\u{1f600}", "\u0000", "\r") });
  const parts = fc.array(fc.record({ text, table: text }), { maxLength: 6 });
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 40 }), (sent, step) => {
      const stream = sent.map((part) => part.text + messageLine(progress(part.table))).join("");
      const bytes = bytesOf(stream);
      const count = Math.ceil(bytes.length / step);
      const pieces = Array.from({ length: count }, (_, at) => bytes.subarray(at * step, (at + 1) * step));
      const expected = sent.flatMap((part) => [
        ...(part.text === "" ? [] : [part.text]),
        progress(part.table),
      ]);
      expect(read(pieces)).toEqual(expected);
    }),
  );
});

test("a message keeps errors with their texts, dates and large integers", () => {
  const error = new AgnesError("timed_out", { what: "the read", timeoutMs: 5 }, { retry: "permanent" });
  const report = { error, at: new Date(5), count: 2n ** 70n, list: [null, { deep: error }] };
  const [{ report: received }] = read([
    bytesOf(messageLine({ type: "report", report } as never)),
  ]) as unknown as [{ report: typeof report }];
  expect(received.error).toBeInstanceOf(AgnesError);
  expect(received).toEqual(report);
  const { code, message, hint, details, retry, status, exitCode } = error;
  expect(received.error).toMatchObject({ code, message, hint, details, retry, status, exitCode });
});

test("a long line is cut off, so that no entry of the log begins inside a secret", () => {
  const cut = `${"x".repeat(8192)}…`;
  const message = messageLine(progress("t"));
  const seen = read([bytesOf("x".repeat(20_000)), bytesOf(`y${"x".repeat(9000)}${message}end\nz`)]);
  expect(seen).toEqual([cut, progress("t"), "end", "z"]);
});

test("a message that is cut off at the end is ignored; one that cannot be read is an error", () => {
  expect(read([bytesOf(`before${messageLine(progress("t")).slice(0, -3)}`)])).toEqual(["before"]);
  for (const broken of ["\u001e{\n", "\u001e1\n", "\u001e{}\n"])
    expect(() => read([bytesOf(broken)])).toThrow("cannot be read");
});

const report = { source: "crm", status: "complete", registered: [], notes: [] };

test.each<[string, object]>([
  ["an unknown type", { type: "other" }],
  ["a number as BigInt", { type: "progress", progress: { ...progressOf("t"), rows: 5n } }],
  ["no table", { type: "progress", progress: { ...progressOf("t"), table: undefined } }],
  ["an empty report", { type: "report", report: {} }],
  ["a report that is text", { type: "report", report: "x" }],
  ["a report of another source", { type: "report", report: { ...report, source: "erp" } }],
  ["a report with an error without a code", { type: "report", report: { ...report, error: 5 } }],
  ["a report with the error null", { type: "report", report: { ...report, error: null } }],
  ["an unknown status", { type: "report", report: { ...report, status: "running" } }],
  ["figures that are text", { type: "report", report: { ...report, stats: { tablesExtracted: "1" } } }],
  ["a failure that is text", { type: "failed", error: "boo" }],
  ["a log entry of an unknown level", { type: "log", entry: { level: "loud", message: "x", fields: {} } }],
])("a message with %s is an error", (_name, message) => {
  expect(() => checkMessage(new Set(["crm"]), message as never)).toThrow(
    "a message of a process cannot be read",
  );
});

test("an error of another form cannot be read", () => {
  for (const error of ["{}", "5", '{"code":"x","message":"y","hint":"","details":null}'])
    expect(() => read([bytesOf(`\u001e{"type":"failed","error":{"\\u0000error":${error}}}\n`)])).toThrow(
      "cannot be read",
    );
});
