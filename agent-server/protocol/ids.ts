/** Branded identifiers: a turn's id can never be handed where a sample's is wanted. */
import { z } from 'zod';

export const SessionId = z.string().min(1).max(200).brand('SessionId');
export type SessionId = z.infer<typeof SessionId>;

export const TurnId = z.uuid().brand('TurnId');
export type TurnId = z.infer<typeof TurnId>;

export const ObservationId = z.uuid().brand('ObservationId');
export type ObservationId = z.infer<typeof ObservationId>;

export const SampleId = z.uuid().brand('SampleId');
export type SampleId = z.infer<typeof SampleId>;

export const BatchId = z.uuid().brand('BatchId');
export type BatchId = z.infer<typeof BatchId>;

export const LessonId = z.number().int().min(1).brand('LessonId');
export type LessonId = z.infer<typeof LessonId>;

/** `policy@v0` is the base model without an adapter; every trained adapter is `policy@vN`, N >= 1. */
export const WeightVersion = z
  .string()
  .regex(/^policy@v(0|[1-9]\d{0,8})$/)
  .brand('WeightVersion');
export type WeightVersion = z.infer<typeof WeightVersion>;

export const BASE_VERSION: WeightVersion = WeightVersion.parse('policy@v0');

/** The name of version number `n` (an integer >= 0). */
export function weightVersion(n: number): WeightVersion {
  return WeightVersion.parse(`policy@v${n}`);
}

/** The number N of `policy@vN`. */
export function versionNumber(version: WeightVersion): number {
  return Number(version.slice('policy@v'.length));
}

/** What SGLang's `lora_path` must carry for a version: the adapter's name, or null for the base. */
export function loraPath(version: WeightVersion): string | null {
  return version === BASE_VERSION ? null : version;
}
