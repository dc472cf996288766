/** The status and code of an error response. */
export async function statusAndCode(response: Response): Promise<readonly [number, string]> {
  const body = (await response.json()) as { readonly error?: { readonly code: string } };
  return [response.status, body.error?.code ?? "no error"];
}
