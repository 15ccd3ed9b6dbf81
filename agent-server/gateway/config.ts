/** The gateway's settings in config.json. */
import { z } from 'zod';

export const GatewayConfig = z.strictObject({
  /** 0: the system's choice. */
  port: z.number().int().min(0).max(65_535).default(0),
  /**
   * How the model's tool calls are read. `auto`: as its chat template writes them, else by the parser that the engine
   * was started with. `sglang:<parser>`: by that parser of the engine. `none`: they stay text.
   */
  toolCalls: z
    .union([z.enum(['auto', 'none', 'hermes', 'llama3']), z.templateLiteral(['sglang:', z.string().min(1)])])
    .default('auto'),
});
export type ToolCallSetting = z.infer<typeof GatewayConfig>['toolCalls'];
