/** What SGLang has beyond the contract and the gateway asks for: which parser of tool calls it has, and what that finds. */
import { Hono } from 'hono';
import { z } from 'zod';
import { ServerInfo } from '../../../agent-server/protocol/engine.ts';
import { clientGone, parseBody, useErrorShape } from '../http.ts';
import { callJson } from './client.ts';
import type { SglangEngine } from './sglang-engine.ts';

const Asked = z.object({ text: z.string(), tools: z.array(z.unknown()), tool_call_parser: z.string() });
const Found = z.looseObject({ normal_text: z.string(), calls: z.array(z.unknown()) });

/** Stands before the engine's routes, which answer everything else. */
export function sglangRoutes(engine: SglangEngine, log: (line: string) => void): Hono {
  const app = new Hono();
  useErrorShape(app, log);
  for (const path of ['/server_info', '/get_server_info']) {
    app.get(path, async (c) => {
      const asked = { method: 'GET', path: '/server_info', access: 'use' } as const;
      return c.json(await callJson(engine.fleet.any(), asked, ServerInfo, clientGone(c).signal));
    });
  }
  app.post('/parse_function_call', async (c) => {
    const body = await parseBody(c, Asked);
    const asked = { method: 'POST', path: '/parse_function_call', body, access: 'use' } as const;
    return c.json(await callJson(engine.fleet.any(), asked, Found, clientGone(c).signal));
  });
  return app;
}
