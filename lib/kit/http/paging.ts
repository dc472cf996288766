import { AgnesError } from "../../base/mod.ts";

/** Where something is in a JSON body: keys joined by dots, or a function. */
export type BodyPath<T> = string | ((body: unknown) => T | null | undefined);

/** How a source tells where the next page is. */
export type Paging =
  /** The body holds a token that the next request gives as `parameter`, in the query or in the JSON body. */
  | {
      readonly kind: "cursor";
      readonly parameter: string;
      readonly cursor: BodyPath<string | number>;
      readonly place?: "query" | "json";
    }
  /** Pages are counted; the first page without items ends it, or `total` items seen. `first` is 1 by default. */
  | {
      readonly kind: "page";
      readonly parameter: string;
      readonly items: BodyPath<readonly unknown[]>;
      readonly first?: number;
      readonly total?: BodyPath<number>;
    }
  /** Items are counted; otherwise as `page`. */
  | {
      readonly kind: "offset";
      readonly parameter: string;
      readonly items: BodyPath<readonly unknown[]>;
      readonly first?: number;
      readonly total?: BodyPath<number>;
    }
  /** The header `Link` names the next page as `rel="next"`. */
  | { readonly kind: "link" }
  /** The body holds the address of the next page. */
  | { readonly kind: "url"; readonly next: BodyPath<string> };

/** What the next request changes, or `null` after the last page. */
export interface NextPage {
  readonly url?: string;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly json?: Readonly<Record<string, string | number>>;
}

/** One page as it came. */
export interface PageSeen {
  readonly body: unknown;
  readonly text: string;
  readonly headers: Headers;
}

/** Follows the pages of one listing and refuses to go in circles. */
export class PageWalk {
  readonly #paging: Paging;
  readonly #url: string;
  readonly #seen = new Set<string>();
  #page: number;
  #items = 0;
  #previous: string | undefined;

  /** @param url what to call the listing in an error */
  constructor(paging: Paging, url: string) {
    this.#paging = paging;
    this.#url = url;
    this.#page = paging.kind === "page" ? (paging.first ?? 1) : 0;
  }

  /** What the first request adds. */
  first(): NextPage {
    const paging = this.#paging;
    if (paging.kind === "page") return { query: { [paging.parameter]: this.#page } };
    if (paging.kind === "offset") return { query: { [paging.parameter]: paging.first ?? 0 } };
    return {};
  }

  /** What the request after this page changes; `null` when it was the last. */
  next(page: PageSeen): NextPage | null {
    const paging = this.#paging;
    switch (paging.kind) {
      case "cursor": {
        const cursor = find(page.body, paging.cursor);
        if (cursor === undefined || cursor === null || cursor === "") return null;
        if (typeof cursor !== "string" && typeof cursor !== "number")
          throw this.#invalid("the cursor of a page is neither text nor a number");
        this.#once(String(cursor));
        return { [paging.place ?? "query"]: { [paging.parameter]: cursor } };
      }
      case "page":
      case "offset":
        return this.#count(paging, page);
      case "link":
        return this.#address(nextLink(page.headers.get("link")));
      case "url":
        return this.#address(find(page.body, paging.next));
    }
  }

  #count(paging: Extract<Paging, { kind: "page" | "offset" }>, page: PageSeen): NextPage | null {
    const items = find(page.body, paging.items);
    if (!Array.isArray(items)) throw this.#invalid("a page has no list of items where one is expected");
    // A short page is not the last one: sources drop what the reader may not see.
    if (items.length === 0) return null;
    if (page.text === this.#previous) throw this.#invalid("two pages in a row are the same");
    this.#previous = page.text;
    this.#items += items.length;
    const total = paging.total === undefined ? undefined : find(page.body, paging.total);
    if (typeof total === "number" && this.#items >= total) return null;
    this.#page += 1;
    const position = paging.kind === "page" ? this.#page : (paging.first ?? 0) + this.#items;
    return { query: { [paging.parameter]: position } };
  }

  #address(url: unknown): NextPage | null {
    if (url === undefined || url === null || url === "") return null;
    if (typeof url !== "string") throw this.#invalid("the address of the next page is not text");
    this.#once(url);
    return { url };
  }

  #once(key: string): void {
    if (this.#seen.has(key)) throw this.#invalid("the pages go in a circle");
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
    const words = (relation?.[1] ?? relation?.[2] ?? "").toLowerCase().split(/\s+/);
    if (words.includes("next")) return match[1];
  }
  return undefined;
}

function find(body: unknown, path: BodyPath<unknown>): unknown {
  if (typeof path === "function") return path(body);
  let current = body;
  for (const key of path === "" ? [] : path.split(".")) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Readonly<Record<string, unknown>>)[key];
  }
  return current;
}
