/** Days as the user's calendar has them, and the moments at which they begin and end. Pure but for the time zone. */

/** "2026-01-05": the local day of a moment. '' for null. */
export function dayOf(iso: string | null): string {
  if (iso === null) return '';
  const at = new Date(iso);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** When a local day begins; null where it is no day. */
export function beginOf(day: string): string | null {
  return moment(day, 0);
}

/** When the next day begins: days of 23 and 25 hours are whole too. Null where it is no day. */
export function endOf(day: string): string | null {
  return moment(day, 1);
}

/** The last day of a time that ends at a moment, which is not in it. */
export function lastDayOf(endIso: string | null): string {
  return endIso === null ? '' : dayOf(new Date(Date.parse(endIso) - 1).toISOString());
}

function moment(day: string, daysLater: number): string | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day)?.slice(1).map(Number);
  if (parts === undefined) return null;
  const [year = 0, month = 1, date = 1] = parts;
  const at = new Date(year, month - 1, date + daysLater);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
