/**
 * The model card of an exported adapter. Pure. It tells counts and figures only: not a word of what the user wrote, no
 * path, no repository's name, no id of a turn.
 */
import type { GateFigures } from '../protocol/promotion.ts';
import type { Lineage } from '../protocol/training.ts';
import type { BaseModel } from './base-model.ts';

export interface CardFacts {
  base: BaseModel;
  lineage: Pick<
    Lineage,
    'version' | 'parent' | 'baseModel' | 'hyperparameters' | 'metrics' | 'createdAt' | 'adapterSha256'
  >;
  /** Of the batch that made it. */
  trained: { kind: 'samples' | 'distillation'; newSamples: number; replayed: number; requests: number };
  /** Steps from the base to it, itself included. */
  steps: number;
  /** What the gate measured; null: nothing. */
  figures: GateFigures | null;
  /** Its release. */
  apprentice: string;
}

export function modelCard({ base, lineage, trained, steps, figures, apprentice }: CardFacts): string {
  const { hyperparameters: h, metrics: m } = lineage;
  const rows = (pairs: readonly (readonly [string, string | number])[]) =>
    ['| | |', '|---|---|', ...pairs.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
  return `---
base_model: ${base.name}
library_name: peft
pipeline_tag: text-generation
license: ${base.license ?? 'other'}
tags:
- lora
- apprentice
---

# ${lineage.version}

A LoRA adapter of ${base.name}, trained by Apprentice ${apprentice} from what one person did with the model's answers
while they worked: corrections, reviews and the results of programs. It has learnt that person's wording and
conventions. Treat it as personal: an adapter can repeat what it was trained on.

## Base model

${base.name}, as Apprentice names its files: \`${lineage.baseModel}\`. ${
    base.license === null
      ? 'Its licence is not known here; it applies to this adapter as well.'
      : `Its licence, ${base.license}, applies to this adapter as well.`
  }

## Use

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("${base.name}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")
\`\`\`

## Training

${rows([
  ['Made', lineage.createdAt],
  ['Trained from', lineage.parent],
  ['Steps from the base', steps],
  ['Last batch', trained.kind === 'samples' ? 'judged answers' : 'lessons, distilled'],
  ['New samples in it', trained.newSamples],
  ['Earlier samples replayed', trained.replayed],
  ['Requests distilled', trained.requests],
  ['Trained tokens', m.trainedTokens],
])}

${rows([
  ['Learning rate', h.learningRate],
  ['Optimizer steps', h.steps],
  ['LoRA rank', h.loraRank],
  ['LoRA alpha', h.loraAlpha],
  ['Weight decay', h.weightDecay],
  ['AdamW betas', `${h.adamBeta1}, ${h.adamBeta2}`],
  ['Largest gradient norm', h.maxGradNorm],
  ['Clip', `[1 - ${h.clipLow}, 1 + ${h.clipHigh}]`],
  ['Seed', h.seed],
])}

## Figures

${rows([
  ['Loss', m.loss.toFixed(4)],
  ['Gradient norm', m.gradNorm.toFixed(4)],
  ['Fall of its own tokens’ log-probability, nats a token', m.logprobFall.toFixed(4)],
  ['KL to the base, nats a token', m.klToBase === null ? 'not measured' : m.klToBase.toFixed(4)],
])}

${figures === null ? 'The gate measured nothing of it.' : gate(figures)}

sha256 of \`adapter_model.safetensors\`: \`${lineage.adapterSha256}\`
`;
}

function gate(figures: GateFigures): string {
  const { meanDifference, lowerBound, turns, heldOut, confidence, margin, driftNats } = figures;
  const drift =
    driftNats === null
      ? ''
      : ` It stands ${driftNats.toFixed(3)} nats a token from the base on unrelated prompts.`;
  if (meanDifference === null || lowerBound === null)
    return `Too few turns to compare it with the version that served (${turns}).${drift}`;
  return (
    `Against the version that served, on ${turns} of the person's own texts (${heldOut} never trained on): ` +
    `${meanDifference.toFixed(3)} nats a token, at least ${lowerBound.toFixed(3)} with ${Math.round(confidence * 100)}% confidence; ` +
    `the margin was -${margin}.${drift}`
  );
}
