/** Metrics of one user; loaded only where they are on, as their library is. */
import { WorkerMetrics } from '../metrics.ts';
import { measuredBackend } from '../trainer/metrics.ts';
import type { Measure } from './user-space.ts';

export const measure: Measure = (engine, trainer, backend, pauses) => {
  const metrics = new WorkerMetrics(engine, trainer, pauses);
  return { metrics, backend: measuredBackend(backend, metrics.trainer) };
};
