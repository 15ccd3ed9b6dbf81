/** llama.cpp beside the engine: `node llama-cpp-peer.ts MODULE GGUF`. Answers as transformers_peer.py does. */
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** What of node-llama-cpp is used here. */
interface Module {
  getLlama(options: { gpu: false; build: 'never'; maxThreads: number; logLevel: 'error' }): Promise<{
    loadModel(options: { modelPath: string }): Promise<Model>;
  }>;
}
interface Model {
  createContext(options: {
    sequences: number;
    contextSize: number;
    batchSize: number;
    threads: number;
  }): Promise<{ getSequence(): Sequence }>;
}
interface Sequence {
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number>;
  controlledEvaluate(tokens: (number | [number, object])[]): Promise<unknown>;
  clearHistory(): Promise<void>;
}
interface Request {
  op: string;
  prompts?: number[][];
  new_tokens?: number;
  ids?: number[];
  more?: number[];
  scored?: number;
}

const STREAMS = 8;
const [module = '', modelPath = ''] = process.argv.slice(2);
const { getLlama }: Module = await import(pathToFileURL(module).href);
const threads = availableParallelism();
const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: 'error' });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ sequences: STREAMS, contextSize: 1024, batchSize: 512, threads });
const sequences = Array.from({ length: STREAMS }, () => context.getSequence());

async function tokens(sequence: Sequence, prompt: number[], count: number): Promise<void> {
  let made = 0;
  for await (const _ of sequence.evaluate(prompt, { temperature: 0 })) {
    made += 1;
    if (made >= count) break;
  }
}

async function work({ op, prompts = [], new_tokens = 0, ids = [], more = [], scored = 0 }: Request) {
  const [first] = sequences;
  if (first === undefined) throw new Error('no sequence');
  switch (op) {
    case 'generate':
      await Promise.all(
        prompts.map((prompt, index) => tokens(sequences[index] ?? first, prompt, new_tokens)),
      );
      return {};
    case 'turns': {
      await tokens(first, ids, 1);
      const started = performance.now();
      await tokens(first, more, 1);
      return { secondSeconds: (performance.now() - started) / 1_000 };
    }
    case 'score': {
      const wanted = { generateNext: { probabilities: true } };
      const asked = ids.map((id, index): number | [number, object] =>
        index >= ids.length - 1 - scored && index < ids.length - 1 ? [id, wanted] : id,
      );
      await first.controlledEvaluate(asked);
      return {};
    }
    default:
      throw new Error(`no operation ${op}`);
  }
}

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const request: Request = JSON.parse(line);
  const started = performance.now();
  const told = await work(request);
  const seconds = (performance.now() - started) / 1_000;
  process.stdout.write(`${JSON.stringify({ seconds, ...told })}\n`);
  for (const sequence of sequences) await sequence.clearHistory();
}
process.exit(0);
