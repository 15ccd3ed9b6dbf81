/** The curve of first answers accepted, as numbers. Pure; drawing is acceptance-curve.ts's. */
import type { CurvePoint } from '../../agent-server/protocol/panel.ts';

export interface AcceptedShare {
  /** Share accepted among the last `window` answers up to this one, 0 to 1. */
  share: number;
  version: string;
  /** True where this version answered for the first time. */
  versionBegins: boolean;
}

/** A moving share, because a cumulative one hides for long that the last answers are better. */
export function acceptedShares(points: readonly CurvePoint[], window: number): AcceptedShare[] {
  return points.map((point, index) => {
    const recent = points.slice(Math.max(0, index + 1 - window), index + 1);
    return {
      share: recent.filter(({ accepted }) => accepted).length / recent.length,
      version: point.version,
      versionBegins: points[index - 1]?.version !== point.version,
    };
  });
}
