import { basename, dirname } from "node:path";

import { fileError, type AgnesError, type Files } from "../../lib/base/mod.ts";

/** A file; its names are in directories. */
class FileNode {
  bytes = new Uint8Array();
  /** What was synced. */
  durable = new Uint8Array();
}

/** Something done to a directory that was not synced yet. */
type Pending =
  | { readonly kind: "set"; readonly name: string; readonly node: Node }
  | { readonly kind: "delete"; readonly name: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly node: Node };

class DirectoryNode {
  readonly modified = { atMs: 0 };
  entries = new Map<string, Node>();
  durable = new Map<string, Node>();
  pending: Pending[] = [];

  change(step: Pending): void {
    apply(this.entries, step);
    this.pending.push(step);
    this.modified.atMs = Date.now();
  }

  become({ durable, entries, modified, pending }: DirectoryNode, copyOf: (node: Node) => Node): void {
    const copied = (some: ReadonlyMap<string, Node>) =>
      new Map([...some].map(([name, node]) => [name, copyOf(node)]));
    this.modified.atMs = modified.atMs;
    this.entries = copied(entries);
    this.durable = copied(durable);
    this.pending = pending.map((step) => ("node" in step ? { ...step, node: copyOf(step.node) } : step));
  }

  sync(): void {
    this.durable = new Map(this.entries);
    this.pending = [];
  }
}

type Node = FileNode | DirectoryNode;

/** A disk that keeps, when the power fails, what was synced, and of the rest what chance will have. */
export class ForgetfulDisk {
  readonly #root = new DirectoryNode();
  /** Called before each operation; throws to make it fail. */
  before: (operation: keyof Files, path: string) => void | Promise<void> = () => {};
  /** Counts power failures: what was opened before one works no more. */
  #failures = 0;

  /** The disk as a process sees it that starts now. */
  files(): Files {
    const life = this.#failures;
    const checked = async <T>(operation: keyof Files, path: string, work: () => T): Promise<T> => {
      await this.before(operation, path);
      await Promise.resolve();
      // A process that lost its power does nothing more and receives nothing more.
      if (life !== this.#failures) return new Promise<T>(() => {});
      return work();
    };
    return {
      read: (path) =>
        checked("read", path, () => {
          const node = this.#find(path);
          if (node instanceof DirectoryNode) throw failure("read", path, "EISDIR");
          return node === undefined ? null : node.bytes.slice();
        }),
      write: (path, data, options) =>
        checked("write", path, () => {
          const there = this.#find(path);
          if (there !== undefined && options?.replace !== true) throw failure("write", path, "EEXIST");
          const node = new FileNode();
          node.bytes = bytesOf(data);
          node.durable = node.bytes;
          this.#parent("write", path).change({ kind: "set", name: basename(path), node });
        }),
      append: (path, data, { at } = {}) =>
        checked("append", path, () => {
          const there = this.#find(path);
          const node = there instanceof FileNode ? there : new FileNode();
          node.bytes = Buffer.concat([node.bytes.slice(0, at), bytesOf(data)]);
          // `append` guarantees a sync; only what follows it in `publishFile` is to be tested.
          if (there === undefined) {
            this.#parent("append to", path).change({ kind: "set", name: basename(path), node });
          }
        }),
      sync: (path) =>
        checked("sync", path, () => {
          const node = this.#find(path);
          if (node === undefined) throw failure("sync", path, "ENOENT");
          if (node instanceof DirectoryNode) node.sync();
          else node.durable = node.bytes;
        }),
      rename: (from, to) =>
        checked("rename", from, () => {
          const node = this.#find(from);
          if (node === undefined) throw failure("rename", from, "ENOENT");
          if (dirname(from) !== dirname(to)) throw new Error("renames between directories are not needed");
          this.#parent("rename", from).change({
            kind: "rename",
            from: basename(from),
            to: basename(to),
            node,
          });
        }),
      link: (existing, name) =>
        checked("link", existing, () => {
          const node = this.#find(existing);
          if (node === undefined) throw failure("link", existing, "ENOENT");
          if (this.#find(name) !== undefined) return false;
          this.#parent("link", name).change({ kind: "set", name: basename(name), node });
          return true;
        }),
      chmod: (path) => checked("chmod", path, () => {}),
      remove: (path) => checked("remove", path, () => this.#remove(path)),
      removeDirectory: (path) => checked("removeDirectory", path, () => this.#remove(path)),
      makeDirectory: (path) =>
        checked("makeDirectory", path, () => {
          let at = this.#root;
          for (const name of namesOf(path)) {
            const next = at.entries.get(name) ?? new DirectoryNode();
            if (!(next instanceof DirectoryNode)) throw failure("make", path, "EEXIST");
            if (!at.entries.has(name)) at.change({ kind: "set", name, node: next });
            at = next;
          }
        }),
      open: () => Promise.reject(new Error("open files are not needed")),
      writeChunks: () => Promise.reject(new Error("temporary files are not needed")),
      makeTemporaryDirectory: () => Promise.reject(new Error("temporary directories are not needed")),
      readChunks: () => {
        throw new Error("reading in chunks is not needed");
      },
      list: (path) =>
        checked("list", path, () => {
          const node = this.#find(path);
          return node instanceof DirectoryNode ? [...node.entries.keys()].sort() : null;
        }),
      entries: (path) => Promise.reject(new Error(`the kinds in ${path} are not needed`)),
      identify: (path) => Promise.reject(new Error(`the identity of ${path} is not needed`)),
      realPath: (path) => Promise.resolve(path),
      stat: (path) =>
        checked("stat", path, () => {
          const node = this.#find(path);
          if (node === undefined) return null;
          const isDirectory = node instanceof DirectoryNode;
          const sizeBytes = isDirectory ? 0 : node.bytes.length;
          return { sizeBytes, modifiedAtMs: isDirectory ? node.modified.atMs : 0, isDirectory };
        }),
      freeBytes: (path) => checked("freeBytes", path, () => null),
    };
  }

  /** Another disk with the same content, synced or not. */
  copy(): ForgetfulDisk {
    const copies = new Map<Node, Node>();
    const copyOf = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const made = node instanceof FileNode ? new FileNode() : new DirectoryNode();
      copies.set(node, made);
      if (node instanceof FileNode) Object.assign(made, node);
      else (made as DirectoryNode).become(node, copyOf);
      return made;
    };
    const disk = new ForgetfulDisk();
    disk.#root.become(this.#root, copyOf);
    return disk;
  }

  /** Cuts the power. `survives` decides about each step in a directory that was not synced. */
  cutPower(survives: (directory: string) => boolean = () => false): void {
    this.#failures += 1;
    const visit = (node: Node, path: string): void => {
      if (node instanceof FileNode) {
        node.bytes = node.durable;
        return;
      }
      const kept = new Map(node.durable);
      for (const step of node.pending) if (survives(path)) apply(kept, step);
      node.entries = kept;
      node.sync();
      for (const [name, child] of kept) visit(child, `${path}/${name}`);
    };
    visit(this.#root, "");
  }

  #find(path: string): Node | undefined {
    let at: Node = this.#root;
    for (const name of namesOf(path)) {
      const next: Node | undefined = at instanceof DirectoryNode ? at.entries.get(name) : undefined;
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  #parent(operation: string, path: string): DirectoryNode {
    const node = this.#find(dirname(path));
    if (node instanceof DirectoryNode) return node;
    throw failure(operation, path, "ENOENT");
  }

  #remove(path: string): void {
    if (this.#find(path) === undefined) return;
    this.#parent("remove", path).change({ kind: "delete", name: basename(path) });
  }
}

function apply(entries: Map<string, Node>, step: Pending): void {
  if (step.kind === "set") entries.set(step.name, step.node);
  else if (step.kind === "delete") entries.delete(step.name);
  else {
    entries.delete(step.from);
    entries.set(step.to, step.node);
  }
}

function namesOf(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function bytesOf(data: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(typeof data === "string" ? Buffer.from(data) : data);
}

function failure(operation: string, path: string, code: string): AgnesError {
  return fileError(operation, path, Object.assign(new Error(code), { code }));
}
