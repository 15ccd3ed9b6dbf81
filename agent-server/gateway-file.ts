/**
 * `gateway.json` (mode 0600): the port and the key by which other agents reach the gateway. Kept from one start to the
 * next, so that what was written into their configuration stays right; deleting the file makes both anew. The token of
 * discovery.json, which changes with every start, is for editors.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const GatewayFile = z.object({
  format: z.literal(1),
  port: z.number().int().min(0).max(65_535),
  key: z.string().regex(/^[\w-]{40,200}$/),
});
export type GatewayAddress = Pick<z.infer<typeof GatewayFile>, 'port' | 'key'>;

const FILE = 'gateway.json';

/** What was kept; a port of 0 (the system's choice) and a new key when nothing was, or nothing that parses. */
export function keptAddress(home: string): GatewayAddress {
  try {
    const kept = GatewayFile.safeParse(JSON.parse(readFileSync(join(home, FILE), 'utf8')));
    if (kept.success) return { port: kept.data.port, key: kept.data.key };
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!missing && !(error instanceof SyntaxError)) throw error;
  }
  return { port: 0, key: randomBytes(32).toString('base64url') };
}

/**
 * Listens where the settings say, else on the port that was kept, else, when somebody has taken that meanwhile, on
 * another, which is kept from then on. Throws what `listen` throws.
 */
export async function listenAtKept<G extends { readonly port: number }>(
  home: string,
  address: GatewayAddress,
  configuredPort: number,
  listen: (port: number) => Promise<G>,
  warn: (message: string) => void,
): Promise<G> {
  const gateway = await listen(configuredPort || address.port).catch((error: unknown) => {
    if (configuredPort !== 0 || address.port === 0) throw error;
    warn(`Port ${address.port} is taken: agents that were connected by it need the new one.`);
    return listen(0);
  });
  keepAddress(home, { ...address, port: gateway.port });
  return gateway;
}

/** Written whole or not at all, and for nobody else from its first byte. */
function keepAddress(home: string, { port, key }: GatewayAddress): void {
  const temporary = join(home, `${FILE}.tmp`);
  rmSync(temporary, { force: true });
  const file: z.input<typeof GatewayFile> = { format: 1, port, key };
  writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, join(home, FILE));
}
