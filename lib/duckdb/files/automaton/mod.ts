export * from "./byte-automaton.ts";
export * from "./forms.ts";
export * from "./plain-values.ts";
export * from "./scan.ts";
