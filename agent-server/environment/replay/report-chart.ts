/** The curve of the report: convention match of each training proposal, its running mean, and the versions. Pure SVG. */
import { versionNumber } from '../../protocol/ids.ts';
import type { ReplayResult } from './result.ts';

const WIDTH = 900;
const HEIGHT = 300;
const LEFT = 46;
const RIGHT = 76;
const TOP = 16;
const BOTTOM = 46;
const WINDOW = 5;

export function curveChart(result: ReplayResult): string {
  const shares = result.training.map(({ share }) => share);
  const x = (index: number): number =>
    LEFT + ((index + 0.5) / Math.max(1, shares.length)) * (WIDTH - LEFT - RIGHT);
  const y = (share: number): number => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const means = shares.map((_, index) => {
    const window = shares.slice(Math.max(0, index - WINDOW + 1), index + 1);
    return window.reduce((sum, share) => sum + share, 0) / window.length;
  });
  const base = HEIGHT - BOTTOM;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share)}" y2="${y(share)}"/><text class="axis" x="${LEFT - 8}" y="${y(share) + 4}" text-anchor="end">${share}</text>`,
  );
  // Labels that would run into each other are left out; the tick says enough.
  let lastLabel = Number.NEGATIVE_INFINITY;
  const ticks = result.training.flatMap((row, index) => {
    if (row.version === (result.training[index - 1]?.version ?? null)) return [];
    const tick = `<line class="version" x1="${x(index)}" x2="${x(index)}" y1="${base}" y2="${base + 8}"/>`;
    if (x(index) - lastLabel < 30) return [tick];
    lastLabel = x(index);
    return [
      `${tick}<text class="axis" x="${x(index)}" y="${base + 22}" text-anchor="middle">v${versionNumber(row.version)}</text>`,
    ];
  });
  const dots = shares.map(
    (share, index) => `<circle class="dot" cx="${x(index)}" cy="${y(share)}" r="3.5"/>`,
  );
  const line = means.map((mean, index) => `${index === 0 ? 'M' : 'L'}${x(index)} ${y(mean)}`).join(' ');
  const levels = levelMarks(result, y);
  return `<svg class="curve" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Convention match of each training proposal, in order; held-out ${result.heldOut.before.toFixed(2)} before and ${result.heldOut.after.toFixed(2)} after.">
${grid.join('\n')}
${levels}
<path class="mean" d="${line}"/>
${dots.join('\n')}
${ticks.join('\n')}
<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">training commits, oldest first; version that answered</text>
</svg>`;
}

/** Held-out levels, their names kept apart where the values are close. */
function levelMarks({ heldOut }: ReplayResult, y: (share: number) => number): string {
  const levels = [
    { name: 'before', value: heldOut.before },
    { name: 'after', value: heldOut.after },
    ...(heldOut.control === null ? [] : [{ name: 'control', value: heldOut.control }]),
  ].toSorted((a, b) => b.value - a.value);
  let lowest = Number.NEGATIVE_INFINITY;
  return levels
    .map(({ name, value }) => {
      const labelY = Math.max(y(value) + 4, lowest + 15);
      lowest = labelY;
      return `<line class="level ${name}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text class="name ${name}" x="${WIDTH - RIGHT + 8}" y="${labelY}">${name}</text>`;
    })
    .join('\n');
}
