/** Errors that reach a person or another process: what happened, to what, what to do next, and a code. */
import { z } from 'zod';

export const ErrorCode = z.enum([
  'unauthorized',
  'forbidden_host',
  'forbidden_origin',
  'body_too_large',
  'invalid_json',
  'invalid_request',
  'not_found',
  'model_not_found',
  'context_length_exceeded',
  'adapter_invalid',
  'adapter_not_loaded',
  'batch_invalid',
  'batch_tampered',
  'base_model_mismatch',
  'step_rejected',
  'queue_full',
  'engine_unavailable',
  'trainer_unavailable',
  'worker_unavailable',
  'worker_taken',
  'version_mismatch',
  'transfer_failed',
  'judge_unavailable',
  'timeout',
  'aborted',
  'consent_required',
  'nothing_staged',
  'answer_unusable',
  'store_unavailable',
  'disk_full',
  'setup_failed',
  'internal',
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

/** The one exception type of the project. `message` says what happened and to what; `remedy` what to do. */
export class ApprenticeError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApprenticeError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** What the system says when a file could not be written for want of space. */
const NO_SPACE: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** Any thrown value as an ApprenticeError; what is already one passes through unchanged. */
export function toApprenticeError(thrown: unknown, code: ErrorCode = 'internal'): ApprenticeError {
  if (thrown instanceof ApprenticeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof Error && 'code' in thrown && NO_SPACE.has(thrown.code)) {
    return new ApprenticeError('disk_full', message, 'Free some space; then it goes on by itself.', {
      cause: thrown,
    });
  }
  return new ApprenticeError(code, message, 'See the log of the process that reported it.', {
    cause: thrown,
  });
}

/** OpenAI's and SGLang's error body. */
export const ErrorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string().nullable(),
    param: z.string().nullable().optional(),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

const STATUS: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  forbidden_host: 403,
  forbidden_origin: 403,
  body_too_large: 413,
  not_found: 404,
  model_not_found: 404,
  adapter_not_loaded: 404,
  queue_full: 429,
  engine_unavailable: 503,
  trainer_unavailable: 503,
  worker_unavailable: 503,
  worker_taken: 409,
  version_mismatch: 409,
  judge_unavailable: 503,
  store_unavailable: 503,
  disk_full: 507,
  timeout: 504,
  aborted: 499,
  internal: 500,
};

/** The HTTP status and OpenAI-shaped body for an error; 400 unless the code says otherwise. */
export function errorResponse(error: ApprenticeError): { status: number; body: ErrorBody } {
  const status = STATUS[error.code] ?? 400;
  const type =
    status >= 500 ? 'server_error' : status === 401 ? 'authentication_error' : 'invalid_request_error';
  return {
    status,
    body: {
      error: { message: `${error.message} ${error.remedy}`.trim(), type, code: error.code, param: null },
    },
  };
}
