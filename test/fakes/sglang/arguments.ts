/** The flags of SGLang that its stand-in takes, as argparse reads them: a flag that is unknown ends the process. */

/** `list`: as many values as follow. */
const FLAGS = {
  '--model-path': 'text',
  '--served-model-name': 'text',
  '--weight-version': 'text',
  '--host': 'text',
  '--port': 'text',
  '--api-key': 'text',
  '--admin-api-key': 'text',
  '--enable-lora': 'flag',
  '--max-lora-rank': 'text',
  '--lora-target-modules': 'list',
  '--max-loras-per-batch': 'text',
  '--max-loaded-loras': 'text',
  '--max-running-requests': 'text',
  '--random-seed': 'text',
  '--incremental-streaming-output': 'flag',
  '--enable-metrics': 'flag',
  '--enable-deterministic-inference': 'flag',
  '--tp-size': 'text',
  '--base-gpu-id': 'text',
  '--tool-call-parser': 'text',
} as const;
export type Flag = keyof typeof FLAGS;

/** Throws, naming what argparse would refuse. */
export function readArguments(args: readonly string[]): ReadonlyMap<Flag, readonly string[]> {
  const read = new Map<Flag, string[]>();
  for (let at = 0; at < args.length; ) {
    const flag = Object.keys(FLAGS).find((known): known is Flag => known === args[at]);
    if (flag === undefined) throw new Error(`unrecognized arguments: ${args[at]}`);
    const next = args.findIndex((one, index) => index > at && one.startsWith('--'));
    const values = args.slice(at + 1, next < 0 ? args.length : next);
    const kind = FLAGS[flag];
    if ((kind === 'flag' && values.length > 0) || (kind === 'text' && values.length !== 1))
      throw new Error(`argument ${flag}: expected ${kind === 'text' ? 'one argument' : 'none'}`);
    read.set(flag, values);
    at += values.length + 1;
  }
  if (!read.has('--model-path')) throw new Error('the following arguments are required: --model-path');
  if (read.has('--enable-lora') && !(read.has('--max-lora-rank') && read.has('--lora-target-modules')))
    throw new Error(
      'you need to specify both --max-lora-rank and --lora-target-modules for LoRA initialization',
    );
  return read;
}
