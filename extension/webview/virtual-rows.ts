/** Which rows of a list of equal rows are drawn. Pure; a list of 100,000 rows draws some thirty. */

/** Drawn above and below what is in sight, so that a turn of the wheel shows no gap. */
const OVERSCAN = 8;

export interface RowRange {
  first: number;
  /** One past the last. */
  last: number;
}

/** `top`: how far the window's upper edge lies below the list's beginning, px; negative while it is above. */
export function visibleRows(view: {
  top: number;
  height: number;
  rowHeight: number;
  count: number;
}): RowRange {
  const { top, height, rowHeight, count } = view;
  const clamp = (row: number) => Math.max(0, Math.min(count, row));
  return {
    first: clamp(Math.floor(top / rowHeight) - OVERSCAN),
    last: clamp(Math.ceil((top + height) / rowHeight) + OVERSCAN),
  };
}
