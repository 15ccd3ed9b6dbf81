/** What a person can do while the trained policy keeps serving: the gateway's address, and the editor. Pure. */

export interface UsageFacts {
  port: number;
  token: string;
  report: string;
  /** The packaged extension, when it has been built. */
  vsix: string | null;
}

export function usageText({ port, token, report, vsix }: UsageFacts): string {
  const url = `http://127.0.0.1:${port}/v1`;
  return `
The trained policy keeps serving until Ctrl-C.

  URL  ${url}
  key  ${token}

Any OpenAI client can use it:
  OPENAI_BASE_URL=${url} OPENAI_API_KEY=${token}     (model: apprentice)
  curl ${url}/chat/completions -H "Authorization: Bearer ${token}" -H "Content-Type: application/json" \\
    -d '{"model":"apprentice","messages":[{"role":"user","content":"Hello"}]}'

In VS Code:
  desktop          ${vsix === null ? '"npm run package" builds the .vsix; then code --install-extension FILE' : `code --install-extension ${vsix}`}
  in the browser   npm run vscode

Report: ${report}
`;
}
