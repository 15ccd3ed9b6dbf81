/** What a worker's engine and trainer compute on. */
import { z } from 'zod';

/** torch's name of it (torch.device); `auto`: the first CUDA GPU where torch finds one, else the processor. */
export const WorkerDevice = z
  .string()
  .regex(/^(auto|cpu|mps|cuda(:\d{1,2})?)$/, 'auto, cpu, mps, cuda or cuda:1');
