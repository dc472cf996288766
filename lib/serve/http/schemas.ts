import * as v from "valibot";

/** The body of every error. */
export const errorBody = v.pipe(
  v.object({
    error: v.object({
      code: v.pipe(v.string(), v.description("The stable name of the failure")),
      message: v.pipe(v.string(), v.description("What failed, and the value")),
      hint: v.pipe(v.string(), v.description("The next step")),
      details: v.pipe(v.record(v.string(), v.unknown()), v.description("The values in the message, by name")),
    }),
  }),
  v.description("An error"),
  v.metadata({ ref: "Error" }),
);
