/** The discovery file (mode 0600, `APPRENTICE_HOME/discovery.json`) through which windows find the agent-server. */
import { z } from 'zod';

export const Discovery = z.object({
  format: z.literal(1),
  pid: z.number().int(),
  /** Unix socket path or Windows named pipe, for LSP. */
  socket: z.string(),
  /** Loopback port of the gateway. */
  port: z.number().int(),
  /** Wanted by both: `Authorization: Bearer` at the gateway, `initializationOptions.token` over LSP. */
  token: z.string(),
  startedAt: z.iso.datetime(),
  version: z.string(),
});
export type Discovery = z.infer<typeof Discovery>;
