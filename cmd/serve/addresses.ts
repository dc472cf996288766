import { isIPv4, isIPv6 } from "node:net";

/** Whether only programs on this machine can reach an address. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || (isIPv4(name) && name.startsWith("127."));
}

/** The values of the header Host for a server that listens on an address, in lower case. */
export function allowedHosts(host: string, port: number): readonly string[] {
  const names = new Set(["127.0.0.1", "localhost", "[::1]", nameOf(host).toLowerCase()]);
  // Clients omit the default port of HTTP.
  return [...names].flatMap((name) => (port === 80 ? [`${name}:80`, name] : [`${name}:${port}`]));
}

/** The URL of a server for a browser on this machine. */
export function urlOf(host: string, port: number): string {
  const isAll = host === "0.0.0.0" || host === "::";
  return `http://${isAll ? "127.0.0.1" : nameOf(host)}:${port}`;
}

function nameOf(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
