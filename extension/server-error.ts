/** What the agent-server answers in place of a result, as an ApprenticeError again. */
import { z } from 'zod';
import { ApprenticeError, ErrorCode, toApprenticeError } from '../agent-server/protocol/errors.ts';

/** Its errors carry code and remedy in `data`; anything else that went wrong is `internal`. */
const ErrorData = z.object({ code: ErrorCode, remedy: z.string() });

export function serverError(error: unknown): ApprenticeError {
  const data = ErrorData.safeParse(error instanceof Error && 'data' in error ? error.data : undefined);
  if (!data.success || !(error instanceof Error)) return toApprenticeError(error);
  return new ApprenticeError(data.data.code, error.message, data.data.remedy, { cause: error });
}
