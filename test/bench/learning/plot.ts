/**
 * The learning curves as one SVG, a panel a user: above, the share of first answers that satisfied, over the last few
 * interactions; below, how far the weights have drifted where nobody asked them to.
 */
import { CHECKPOINTS, MAX_INTERACTIONS, type RunResult } from './run.ts';
import { spread } from './table.ts';

const COLUMNS = 3;
const PANEL = { width: 310, height: 300 };
const EDGE = { left: 40, right: 12 };
/** From where to where, from the panel's top. */
const SHARES = { top: 26, bottom: 136 };
const DRIFTS = { top: 166, bottom: 262 };
/** First answers that one point of a curve looks back on. */
const WINDOW = 4;
/** Nats a token, a power of ten each; less is drawn at the lower edge. */
const DRIFT_MARKS = [0.001, 0.01, 0.1, 1];
const DRIFT_AIM = 0.05;
/** Okabe and Ito's palette: told apart by colour-blind people too. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#999999', '#000000'];
/** Lines that lie on one another are drawn beside one another. */
const APART = 2;

/** `arms` in the order of the legend; others are left out. */
export function plotSvg(results: readonly RunResult[], arms: readonly string[]): string {
  const users = [...new Set(results.map(({ user }) => user))];
  const drawn = arms.filter((arm) => results.some((run) => run.arm === arm));
  const panels = users.map((user, index) => {
    const lines = drawn.flatMap((arm) => {
      const runs = results.filter((run) => run.user === user && run.arm === arm);
      const colour = arms.indexOf(arm);
      return runs.length === 0 ? [] : [shareLine(runs, colour), driftLine(runs, colour)];
    });
    const [column, row] = [index % COLUMNS, Math.floor(index / COLUMNS)];
    return `<g transform="translate(${column * PANEL.width} ${row * PANEL.height})">${axes(user)}${lines.join('')}</g>`;
  });
  const top = Math.ceil(users.length / COLUMNS) * PANEL.height;
  const legend = drawn.map((arm, index) => {
    const [x, y] = [(index % COLUMNS) * PANEL.width + EDGE.left, top + 14 + Math.floor(index / COLUMNS) * 18];
    return `<g transform="translate(${x} ${y})"><path d="M0 -4h18" stroke="${colourOf(arms.indexOf(arm))}" stroke-width="2"/><text x="24">${escaped(arm)}</text></g>`;
  });
  const width = COLUMNS * PANEL.width;
  const height = top + 14 + Math.ceil(drawn.length / COLUMNS) * 18;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>Share of first answers that satisfy, and drift, over interactions</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function axes(user: string): string {
  const grid = (y: number, label: string, more = '') =>
    `<path d="M${EDGE.left} ${y}H${PANEL.width - EDGE.right}" stroke="#dddddd" ${more}/><text x="${EDGE.left - 5}" y="${y + 4}" text-anchor="end">${label}</text>`;
  const ticks = [1, ...CHECKPOINTS].map(
    (at) => `<text x="${x(at)}" y="${DRIFTS.bottom + 16}" text-anchor="middle">${at}</text>`,
  );
  return [
    `<text x="${EDGE.left}" y="14" font-size="12" font-weight="bold">${escaped(user)}</text>`,
    ...[0, 0.5, 1].map((share) => grid(shareY(share), `${share * 100}%`)),
    `<text x="${EDGE.left}" y="${DRIFTS.top - 8}" fill="#555555">drift, nats a token</text>`,
    ...DRIFT_MARKS.map((drift) => grid(driftY(drift), String(drift))),
    grid(driftY(DRIFT_AIM), '', 'stroke-dasharray="3 3"'),
    ...ticks,
  ].join('');
}

/** Mean over seeds; at each interaction, of the last WINDOW first answers. */
function shareLine(runs: readonly RunResult[], colour: number): string {
  const length = Math.max(...runs.map(({ satisfied }) => satisfied.length));
  const points = Array.from({ length }, (_, index) => {
    const latest = runs.flatMap(({ satisfied }) =>
      satisfied.slice(Math.max(0, index + 1 - WINDOW), index + 1),
    );
    const share = latest.filter(Boolean).length / latest.length;
    return [x(index + 1), shareY(share) + (colour - 2) * APART] as const;
  });
  return path(points, colour);
}

/** Median over seeds. */
function driftLine(runs: readonly RunResult[], colour: number): string {
  const points = CHECKPOINTS.flatMap((at) => {
    const drifts = runs.flatMap(({ checkpoints }) =>
      checkpoints.filter(({ interactions }) => interactions === at).map(({ drift }) => drift),
    );
    return drifts.length === 0 ? [] : [[x(at), driftY(spread(drifts).median)] as const];
  });
  const dots = points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="2.5" fill="${colourOf(colour)}"/>`);
  return path(points, colour) + dots.join('');
}

function path(points: readonly (readonly [number, number])[], colour: number): string {
  const d = points
    .map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`)
    .join('');
  return `<path d="${d}" fill="none" stroke="${colourOf(colour)}" stroke-width="1.8" stroke-linejoin="round"/>`;
}

function x(interactions: number): number {
  const width = PANEL.width - EDGE.left - EDGE.right;
  return EDGE.left + ((interactions - 1) / (MAX_INTERACTIONS - 1)) * width;
}

function shareY(share: number): number {
  return SHARES.bottom - share * (SHARES.bottom - SHARES.top);
}

function driftY(drift: number): number {
  const [least = 0.001, most = 1] = [DRIFT_MARKS[0], DRIFT_MARKS.at(-1)];
  const place = Math.log(Math.min(Math.max(drift, least), most) / least) / Math.log(most / least);
  return DRIFTS.bottom - place * (DRIFTS.bottom - DRIFTS.top);
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#000000';
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
