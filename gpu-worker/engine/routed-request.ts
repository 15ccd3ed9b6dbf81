/** /generate as sglang-router hands it on: what it was sent, and fields of its own that change nothing. */
import { z } from 'zod';
import { GenerateRequest } from '../../agent-server/protocol/engine.ts';

/** Added by sglang-router 0.3.2 to every request, at these values. Any other would mean something, and is refused. */
const ADDED = {
  model: z.null().optional(),
  log_metrics: z.literal(true).optional(),
  return_hidden_states: z.literal(false).optional(),
  background: z.literal(false).optional(),
  no_logs: z.literal(false).optional(),
  return_bytes: z.literal(false).optional(),
  return_entropy: z.literal(false).optional(),
};

export const RoutedRequest = GenerateRequest.extend(ADDED);
