import { AgnesError } from "../../base/mod.ts";

/**
 * The path of a value in a JSON body: keys joined by dots, or a function of the body. With a `schema` of the request the
 * function gets the validated body; keys are those of the response.
 */
export type BodyPath<T, Body = unknown> = string | ((body: Body) => T | null | undefined);

/** How to find the next page. `Body` is the type of a page, that of the `schema` of the request. */
export type Paging<Body = unknown> =
  /** The body contains a token that the next request sends as `parameter`, in the query or in the JSON body. */
  | {
      readonly kind: "cursor";
      readonly parameter: string;
      readonly cursor: BodyPath<string | number, Body>;
      readonly place?: "query" | "json";
    }
  /** Numbered pages; ends at the first page without items or after `total` items. `first` defaults to 1. */
  | {
      readonly kind: "page";
      readonly parameter: string;
      readonly items: BodyPath<readonly unknown[], Body>;
      readonly first?: number;
      readonly total?: BodyPath<number, Body>;
    }
  /** The offset of the first item; otherwise like `page`. `first` defaults to 0. */
  | {
      readonly kind: "offset";
      readonly parameter: string;
      readonly items: BodyPath<readonly unknown[], Body>;
      readonly first?: number;
      readonly total?: BodyPath<number, Body>;
    }
  /** The `Link` header contains the next page as `rel="next"`. */
  | { readonly kind: "link" }
  /** The body contains the URL of the next page. */
  | { readonly kind: "url"; readonly next: BodyPath<string, Body> };

/** Changes for the request of the next page. */
export interface NextPage {
  readonly url?: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly json?: Readonly<Record<string, string | number>>;
}

/** One received page. */
export interface PageSeen {
  readonly body: unknown;
  /** The body as the schema of the request returns it. */
  readonly checked: unknown;
  readonly text: string;
  readonly headers: Headers;
}

/** Follows the pages of one listing and detects cycles. */
export class PageWalk {
  readonly #paging: Paging<never>;
  readonly #url: string;
  readonly #seen = new Set<string>();
  #page: number;
  #items = 0;
  #previous: string | undefined;

  /** @param url the name of the listing in errors */
  constructor(paging: Paging<never>, url: string) {
    this.#paging = paging;
    this.#url = url;
    this.#page = paging.kind === "page" ? (paging.first ?? 1) : 0;
  }

  /** Returns the parameters of the first request. */
  first(): NextPage {
    const paging = this.#paging;
    if (paging.kind === "page") return { query: { [paging.parameter]: this.#page } };
    if (paging.kind === "offset") return { query: { [paging.parameter]: paging.first ?? 0 } };
    return {};
  }

  /** Returns the changes for the request after this page, or `null` after the last page. */
  next(page: PageSeen): NextPage | null {
    const paging = this.#paging;
    switch (paging.kind) {
      case "cursor": {
        const cursor = find(page, paging.cursor);
        if (cursor === undefined || cursor === null || cursor === "") return null;
        if (typeof cursor !== "string" && typeof cursor !== "number")
          throw this.#invalid("the cursor of a page is neither a string nor a number");
        this.#once(String(cursor));
        return { [paging.place ?? "query"]: { [paging.parameter]: cursor } };
      }
      case "page":
      case "offset":
        return this.#count(paging, page);
      case "link":
        return this.#address(nextLink(page.headers.get("link")));
      case "url":
        return this.#address(find(page, paging.next));
    }
  }

  #count(paging: Extract<Paging<never>, { kind: "page" | "offset" }>, page: PageSeen): NextPage | null {
    const items = find(page, paging.items);
    if (!Array.isArray(items)) throw this.#invalid("a page has no list of items at the configured path");
    // A short page is not the last: sources omit items that the user may not read.
    if (items.length === 0) return null;
    if (page.text === this.#previous) throw this.#invalid("two consecutive pages are identical");
    this.#previous = page.text;
    this.#items += items.length;
    const total = paging.total === undefined ? undefined : find(page, paging.total);
    if (typeof total === "number" && this.#items >= total) return null;
    this.#page += 1;
    const position = paging.kind === "page" ? this.#page : (paging.first ?? 0) + this.#items;
    return { query: { [paging.parameter]: position } };
  }

  #address(url: unknown): NextPage | null {
    if (url === undefined || url === null || url === "") return null;
    if (typeof url !== "string") throw this.#invalid("the URL of the next page is not a string");
    this.#once(url);
    return { url };
  }

  #once(key: string): void {
    if (this.#seen.has(key)) throw this.#invalid("the pages form a cycle");
    this.#seen.add(key);
  }

  #invalid(reason: string): AgnesError {
    return new AgnesError("source_answer_invalid", { reason: `${this.#url}: ${reason}`, url: this.#url });
  }
}

/** The target of `rel="next"` in a `Link` header. */
export function nextLink(header: string | null): string | undefined {
  for (const match of (header ?? "").matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s;,=]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/g,
  )) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(match[2]!);
    const relations = (relation?.[1] ?? relation?.[2] ?? "").toLowerCase().split(/\s+/);
    if (relations.includes("next")) return match[1];
  }
  return undefined;
}

function find({ body, checked }: PageSeen, path: BodyPath<unknown, never>): unknown {
  if (typeof path === "function") return path(checked as never);
  let current = body;
  for (const key of path === "" ? [] : path.split(".")) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Readonly<Record<string, unknown>>)[key];
  }
  return current;
}
