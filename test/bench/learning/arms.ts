/** What is compared: the same product with other settings. Every arm is a config.json and nothing else. */
import { Config } from '../../../agent-server/config.ts';

export interface Arm {
  name: string;
  config: Config;
  /** One of the main arms. */
  quick: boolean;
  /** Fewer seeds than asked for, where an arm only explains the choice of a default. */
  seeds: number;
  /** Held-out requests are answered as the user's own are: with lessons in the prompt. */
  evaluateWithLessons: boolean;
  /** After an interaction the idle work has time for one more version. */
  waitForIdleWork: boolean;
}

interface Settings {
  learning?: Record<string, unknown>;
  lessons?: Record<string, unknown>;
  promotion?: Record<string, unknown>;
}

const MANY_SEEDS = Number.POSITIVE_INFINITY;
const NO_LESSONS = { enabled: false };
/** A version serves whatever it is like, so that an arm shows what its algorithm does and not what the gate lets through. */
const NO_GATE = { turns: 0, anchors: 0, maxDriftNats: 100 };
const PUBLISHED = { teacher: 'current', teacherCheck: 'never' };

function arm(name: string, settings: Settings, more: Partial<Omit<Arm, 'name' | 'config'>> = {}): Arm {
  const config = Config.parse({ ...settings });
  return {
    name,
    config,
    quick: false,
    seeds: 1,
    evaluateWithLessons: config.lessons.enabled,
    waitForIdleWork: false,
    ...more,
  };
}

/** The weights alone, learning by other settings. */
function weights(name: string, learning: Record<string, unknown>, more: Partial<Arm> = {}): Arm {
  return arm(name, { learning, lessons: NO_LESSONS, promotion: NO_GATE }, more);
}

const shipped = Config.parse({}).learning;
const ONE_STEP = { hyperparameters: { ...shipped.hyperparameters, steps: 1 } };

export const DEFAULT_ARM = 'default: lessons and weights';
export const WEIGHTS_ARM = 'weights only';

export const ARMS: readonly Arm[] = [
  arm('base', { learning: { method: 'none' }, lessons: NO_LESSONS }, { quick: true }),
  arm('lessons only', { learning: { method: 'none' } }, { quick: true, seeds: 3 }),
  arm(DEFAULT_ARM, {}, { quick: true, seeds: MANY_SEEDS }),
  arm(WEIGHTS_ARM, { lessons: NO_LESSONS }, { quick: true, seeds: MANY_SEEDS }),
  arm(
    'lesson distillation',
    {
      learning: {
        method: 'none',
        idleAfterMs: 0,
        distillation: { enabled: true, batchesPerHour: 3_600 },
      },
    },
    { evaluateWithLessons: false, waitForIdleWork: true },
  ),
  // Plain supervised fine-tuning on the rewrites: the same rate, steps and replay, nothing that holds the rest in place.
  weights('SFT', { method: 'demonstration', anchors: 0 }, { quick: true, seeds: MANY_SEEDS }),
  weights(
    'hybrid student (published)',
    { ...PUBLISHED, method: 'hybrid-student' },
    { quick: true, seeds: MANY_SEEDS },
  ),
  weights('hybrid union', { method: 'hybrid-union', teacherCheck: 'never' }),
  weights('hybrid union + demonstration', {
    method: 'hybrid-union+demonstration',
    teacherCheck: 'never',
    demonstrationWeight: 0.3,
  }),
  weights('opd', { ...PUBLISHED, method: 'opd' }),
  weights('binary-rl', { method: 'binary-rl', trainOnAccepted: true }),
  weights('combined', { ...PUBLISHED, method: 'combined' }),
  arm('default less what it shows itself', { learning: { demonstrateAccepted: 'never' } }),
  arm('default less replay', { learning: { replay: 0 } }),
  arm('default less anchors', { learning: { anchors: 0 } }),
  arm('default less the gate', { promotion: NO_GATE }),
  arm('default less the second step', { learning: ONE_STEP }),
  weights('less replay', { replay: 0 }),
  weights('less the gate', {}),
  weights('less the rest on accepted answers', { trainOnAccepted: true }),
  weights('less the second step', ONE_STEP),
  weights('with a third step', { hyperparameters: { ...shipped.hyperparameters, steps: 3 } }),
  weights('less half of the rate', {
    hyperparameters: { ...shipped.hyperparameters, learningRate: shipped.hyperparameters.learningRate / 2 },
  }),
  weights('control', { arm: 'control' }, { quick: true, seeds: MANY_SEEDS }),
];

/** Lines of the plot, in the order of its legend. */
export const PLOTTED: readonly string[] = [
  DEFAULT_ARM,
  WEIGHTS_ARM,
  'lessons only',
  'SFT',
  'hybrid student (published)',
  'control',
];
