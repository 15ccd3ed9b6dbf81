/**
 * SGLANG-1: our schemas against the source of the SGLang that they speak to. Every field that we send is one of its
 * own, takes the type that we give it and means the same when it is left out; every field that we read is written.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { z } from 'zod';
import {
  AbortRequest,
  DetokenizeRequest,
  FinishReason,
  GenerateRequest,
  GenerateResponse,
  LoadLoraAdapterRequest,
  LoraUpdateResponse,
  MetaInfo,
  ModelInfo,
  PauseGenerationRequest,
  SamplingParams,
  ServerInfo,
  TokenizeRequest,
  UnloadLoraAdapterRequest,
  UpdateWeightsRequest,
} from '../../../agent-server/protocol/engine.ts';
import type { Submit } from '../../../gpu-worker/engine/messages.ts';
import { generateBody } from '../../../gpu-worker/engine/sglang/events.ts';
import { sglangFlags } from '../../../gpu-worker/engine/sglang/flags.ts';
import { SGLANG_VERSION, sglangWheel } from '../../fixtures/python-packages.ts';
import { runtime } from '../../fixtures/runtime.ts';

const Field = z.object({
  types: z.array(z.string()),
  default: z.union([z.object({ is: z.unknown() }), z.object({ computed: z.literal(true) })]).optional(),
});
const Fields = z.record(z.string(), Field);
const Source = z.object({
  classes: z.record(z.string(), Fields),
  keys: z.record(z.string(), z.array(z.string())),
  routes: z.record(z.string(), z.object({ methods: z.array(z.string()), admin: z.boolean() })),
  flags: Fields,
});

const wheel = await sglangWheel();
const skip = wheel.kind === 'missing' && `the wheel of sglang ${SGLANG_VERSION} ${wheel.why}`;

/** A JSON schema as far as it is looked into. */
interface Shape {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  required?: string[];
  default?: unknown;
}

const PYTHON: Record<string, string> = {
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  array: 'list',
  object: 'dict',
  null: 'None',
};

/** The types that a schema lets through, by their Python names. */
function pythonTypes(shape: Shape): string[] {
  if (shape.anyOf) return shape.anyOf.flatMap(pythonTypes);
  const values = shape.enum ?? ('const' in shape ? [shape.const] : undefined);
  const plain = [shape.type ?? []].flat().map((type) => PYTHON[type] ?? type);
  return values === undefined ? plain : values.map((value) => JSON.stringify(value));
}

/** Can `given`, of ours, stand where `taken`, of theirs, is declared? */
function fits(given: string, taken: readonly string[]): boolean {
  if (taken.includes(given)) return true;
  const ofLiteral = given.startsWith('"') ? 'str' : given === 'true' || given === 'false' ? 'bool' : null;
  if (ofLiteral !== null) return taken.includes(ofLiteral);
  return given === 'int' && taken.includes('float');
}

function shapeOf(schema: z.ZodType, io: 'input' | 'output'): Record<string, Shape> {
  const shape: Shape = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Shape;
  assert.ok(shape.properties, 'the schema is an object');
  return shape.properties;
}

describe(`sglang ${SGLANG_VERSION}: schemas`, { skip }, () => {
  const source =
    wheel.kind === 'missing'
      ? Source.parse({ classes: {}, keys: {}, routes: {}, flags: {} })
      : Source.parse(
          JSON.parse(
            execFileSync(runtime().python, [join(import.meta.dirname, 'read_source.py'), wheel.path], {
              encoding: 'utf8',
              maxBuffer: 64 * 1024 * 1024,
              timeout: 60_000,
            }),
          ),
        );

  const classNamed = (name: string): z.infer<typeof Fields> => {
    const found = source.classes[name];
    assert.ok(found, `SGLang has a class ${name}`);
    return found;
  };

  /** Left out by us it means what it means left out of SGLang; `apart` names the fields where it does not, and why. */
  const requests: { ours: z.ZodType; theirs: string; apart: Record<string, string> }[] = [
    {
      ours: GenerateRequest,
      theirs: 'GenerateReqInput',
      apart: {
        return_logprob: 'None is false there',
        logprob_start_len: 'None is -1 there',
        top_logprobs_num: 'None is 0 there',
        sampling_params: 'None is a request of all defaults there',
      },
    },
    {
      ours: SamplingParams,
      theirs: 'SamplingParams',
      apart: { top_k: '-1 becomes TOP_K_ALL, the default, there' },
    },
    { ours: LoadLoraAdapterRequest, theirs: 'LoadLoRAAdapterReqInput', apart: {} },
    { ours: UnloadLoraAdapterRequest, theirs: 'UnloadLoRAAdapterReqInput', apart: {} },
    {
      ours: PauseGenerationRequest,
      theirs: 'PauseGenerationReqInput',
      apart: { mode: 'abort there: so it is always sent' },
    },
    { ours: UpdateWeightsRequest, theirs: 'UpdateWeightFromDiskReqInput', apart: {} },
    { ours: AbortRequest, theirs: 'AbortReq', apart: { rid: 'None becomes the empty string there' } },
    { ours: TokenizeRequest, theirs: 'TokenizeRequest', apart: {} },
    { ours: DetokenizeRequest, theirs: 'DetokenizeRequest', apart: {} },
  ];
  for (const { ours, theirs, apart } of requests) {
    test(`SGLANG-1: what is sent as ${theirs} is what it takes`, () => {
      const fields = classNamed(theirs);
      for (const [name, shape] of Object.entries(shapeOf(ours, 'input'))) {
        const field = fields[name];
        assert.ok(field, `${theirs} has ${name}`);
        for (const type of pythonTypes(shape))
          assert.ok(fits(type, field.types), `${theirs}.${name} takes ${type}: ${field.types.join(' | ')}`);
        if (name in apart || shape.default === undefined) continue;
        assert.deepEqual(field.default, { is: shape.default }, `${theirs}.${name} left out`);
      }
      const sent = Object.keys(shapeOf(ours, 'input'));
      for (const [name, field] of Object.entries(fields))
        if (field.default === undefined) assert.ok(sent.includes(name), `${theirs} needs ${name}`);
      for (const name of Object.keys(apart)) assert.ok(sent.includes(name), `${name} is apart for a reason`);
    });
  }

  test('SGLANG-1: what the worker itself sends to /generate is what it takes', () => {
    const submit: Submit = {
      ...{
        rid: 'r',
        scope: 'anna',
        input_ids: [5],
        adapter: null,
        max_new_tokens: 1,
        temperature: 0,
        top_p: 1,
        top_k: -1,
      },
      ...{ stop_token_ids: [2], seed: null, return_logprob: true, logprob_start_len: 0, top_logprobs_num: 4 },
    };
    const body = z
      .looseObject({ sampling_params: z.record(z.string(), z.unknown()) })
      .parse(generateBody(submit, 'x', [2]));
    for (const name of Object.keys(body)) assert.ok(classNamed('GenerateReqInput')[name], name);
    for (const name of Object.keys(body.sampling_params)) assert.ok(classNamed('SamplingParams')[name], name);
  });

  test('SGLANG-1: what is sent to /parse_function_call, and read of it, is what it has', () => {
    const request = classNamed('ParseFunctionCallReq');
    for (const name of ['text', 'tools', 'tool_call_parser'])
      assert.ok(request[name], `ParseFunctionCallReq has ${name}`);
    const item = classNamed('ToolCallItem');
    assert.deepEqual(item['name']?.types, ['str', 'None']);
    assert.deepEqual(item['parameters']?.types, ['str']);
    const answer = source.keys['parse_function_call_request'] ?? [];
    for (const name of ['normal_text', 'calls'])
      assert.ok(answer.includes(name), `/parse_function_call says ${name}`);
  });

  /** Functions that write what is read by the schema. */
  const answers: { ours: z.ZodType; written: string[] }[] = [
    { ours: GenerateResponse, written: ['TokenizerManager._handle_batch_output'] },
    {
      ours: MetaInfo,
      written: ['TokenizerManager._handle_batch_output', 'TokenizerManager.add_logprob_to_meta_info'],
    },
    {
      ours: FinishReason,
      written: ['FINISH_MATCHED_TOKEN.to_json', 'FINISH_LENGTH.to_json', 'FINISH_ABORT.to_json'],
    },
    { ours: ModelInfo, written: ['model_info'] },
  ];
  for (const { ours, written } of answers) {
    test(`SGLANG-1: what is read of an answer is written by ${written.join(' and ')}`, () => {
      const keys = new Set(written.flatMap((name) => source.keys[name] ?? []));
      assert.ok(keys.size > 0);
      for (const name of Object.keys(shapeOf(ours, 'output')))
        assert.ok(keys.has(name), `${name} is written: ${[...keys].join(', ')}`);
    });
  }

  test('SGLANG-1: what is read of LoRAUpdateOutput, /server_info and /v1/tokenize is there', () => {
    const update = classNamed('LoRAUpdateOutput');
    for (const [name, shape] of Object.entries(shapeOf(LoraUpdateResponse, 'output'))) {
      assert.ok(update[name], `LoRAUpdateOutput has ${name}`);
      for (const type of update[name].types)
        assert.ok(pythonTypes(shape).includes(type), `${name} may be ${type}`);
    }
    // The flags as they were resolved, what the scheduler said, and the version.
    const said = new Set([
      ...Object.keys(source.flags).map((flag) => flag.slice(2).replaceAll('-', '_')),
      ...(source.keys['Scheduler.get_init_info'] ?? []),
      ...(source.keys['server_info'] ?? []),
    ]);
    for (const name of Object.keys(shapeOf(ServerInfo, 'output')))
      assert.ok(said.has(name), `/server_info says ${name}`);
    const tokens = classNamed('TokenizeResponse');
    for (const name of ['tokens', 'count', 'max_model_len']) assert.ok(tokens[name]);
    assert.ok(classNamed('DetokenizeResponse')['text']);
  });

  test('SGLANG-1: every flag that it is started with is one of its own, with a value of its kind', () => {
    const options = { model: '/m', modelName: 'm', maxAdapters: 8, maxLoraRank: 64, maxRunning: 8, seed: 1 };
    const line = sglangFlags({
      ...options,
      determinism: 'batch-invariant',
      extra: ['--tp-size', '2', '--base-gpu-id', '2'],
    });
    // What foreign_server.py adds.
    line.push('--host', '127.0.0.1', '--port', '30000', '--api-key', 'k', '--admin-api-key', 'a');
    for (const [at, flag] of line.entries()) {
      if (!flag.startsWith('--')) continue;
      const field = source.flags[flag];
      assert.ok(field, `launch_server has ${flag}`);
      const values = line.slice(
        at + 1,
        line.findIndex((one, index) => index > at && one.startsWith('--')) >>> 0,
      );
      if (field.types.includes('bool')) assert.deepEqual(values, [], `${flag} is a switch`);
      else if (!field.types.includes('list')) assert.equal(values.length, 1, `${flag} takes one value`);
      if (field.types.includes('int')) assert.match(values[0] ?? '', /^\d+$/, `${flag} takes a number`);
    }
    const sent = Object.entries(source.flags).flatMap(([flag, { types, default: value }]) =>
      value === undefined && !types.includes('None') ? [flag] : [],
    );
    for (const flag of sent) assert.ok(line.includes(flag), `launch_server needs ${flag}`);
  });

  test('SGLANG-1: every route that is called is there, by the method that it is called with', () => {
    const called: Record<string, 'GET' | 'POST'> = {
      '/health': 'GET',
      '/health_generate': 'GET',
      '/model_info': 'GET',
      '/server_info': 'GET',
      '/v1/models': 'GET',
      '/generate': 'POST',
      '/v1/chat/completions': 'POST',
      '/v1/tokenize': 'POST',
      '/v1/detokenize': 'POST',
      '/parse_function_call': 'POST',
      '/load_lora_adapter': 'POST',
      '/unload_lora_adapter': 'POST',
      '/pause_generation': 'POST',
      '/continue_generation': 'POST',
      '/update_weights_from_disk': 'POST',
      '/abort_request': 'POST',
    };
    for (const [path, method] of Object.entries(called))
      assert.ok(source.routes[path]?.methods.includes(method), `${method} ${path}`);
  });
});
