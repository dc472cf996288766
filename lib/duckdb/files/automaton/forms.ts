import type { AutomatonBuilder } from "./byte-automaton.ts";

/** A set of ASCII texts, as an automaton. */
export interface Form {
  readonly states: readonly FormState[];
}

/** The first state of a form is its start. */
interface FormState {
  readonly isFinal: boolean;
  readonly edges: readonly { readonly from: number; readonly to: number; readonly state: number }[];
}

/** Compiles a regular expression to the form of the texts that it fully matches. */
export type FormOf = (source: string) => Form;

const forms = new Map<string, Form>();
const FORMS_MAX = 1_000;

/** Loads the compiler of forms on demand, because loading takes as long as a simple command. */
export async function loadForms(): Promise<FormOf> {
  const { DFA, JS, NFA } = await import("refa");
  return (source) => {
    const known = forms.get(source);
    if (known !== undefined) return known;
    const { expression, maxCharacter } = JS.Parser.fromLiteral({ source, flags: "" }).parse();
    const automaton = DFA.fromFA(NFA.fromRegex(expression, { maxCharacter }));
    automaton.minimize();
    const nodes = [...automaton.nodes()].toSorted(
      (one, other) => Number(other === automaton.initial) - Number(one === automaton.initial),
    );
    const numbers = new Map(nodes.map((node, number) => [node, number]));
    const states = nodes.map((node) => ({
      isFinal: automaton.finals.has(node),
      edges: [...node.out].map(([{ min, max }, to]) => ({ from: min, to: max, state: numbers.get(to)! })),
    }));
    if (forms.size >= FORMS_MAX) forms.clear();
    forms.set(source, { states });
    return { states };
  };
}

/** The regular expression of one text. */
export function literalForm(text: string): string {
  return text.replace(
    /[^A-Za-z0-9 ]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Adds the states of a form.
 *
 * @param start the start state, to which the form must not return
 * @param except bytes with another meaning, which do not count as part of the form
 * @returns the states after a complete text
 */
export function addForm(
  builder: AutomatonBuilder,
  form: Form,
  start: number,
  except: readonly number[],
): readonly number[] {
  const own = form.states.map(() => builder.state());
  const finals: number[] = [];
  form.states.forEach(({ isFinal, edges }, number) => {
    const states = number === 0 ? [start, own[0]!] : [own[number]!];
    for (const state of states) {
      if (isFinal) finals.push(state);
      for (const { from, to, state: next } of edges) {
        for (let byte = from; byte <= Math.min(to, 0x7f); byte++) {
          if (!except.includes(byte)) builder.on(state, byte, own[next]!);
        }
      }
    }
  });
  return finals;
}
