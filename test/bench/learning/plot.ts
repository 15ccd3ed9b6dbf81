/** The learning curves as one SVG: a panel a user, a line an arm, held-out share over interactions. */
import { CHECKPOINTS, MAX_INTERACTIONS } from './run.ts';
import type { Row } from './table.ts';

const WIDTH = 300;
const HEIGHT = 180;
const MARGIN = { left: 34, top: 26, right: 10, bottom: 30 };
/** Okabe and Ito's palette: told apart by colour-blind people too. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#999999', '#000000'];

/** `arms` in the order of the legend; others are left out. */
export function plotSvg(rows: readonly Row[], arms: readonly string[]): string {
  const users = [...new Set(rows.map(({ user }) => user))];
  const panels = users.map((user, index) => {
    const lines = arms.flatMap((arm, colour) =>
      rows.filter((row) => row.user === user && row.arm === arm).map((row) => line(row, colour)),
    );
    return `<g transform="translate(${index * (WIDTH + 10)} 0)">${axes(user)}${lines.join('')}</g>`;
  });
  const legend = arms.map((arm, index) => {
    const x = (index % 4) * 200;
    const y = HEIGHT + 18 + Math.floor(index / 4) * 18;
    return `<g transform="translate(${x + MARGIN.left} ${y})"><path d="M0 -4h18" stroke="${colourOf(index)}" stroke-width="2"/><text x="24">${escaped(arm)}</text></g>`;
  });
  const width = Math.max(users.length * (WIDTH + 10), 840);
  const height = HEIGHT + 30 + Math.ceil(arms.length / 4) * 18;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    '<title>Share of held-out first answers that satisfy the user, over interactions</title>',
    ...panels,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function axes(user: string): string {
  const marks = [0, 0.5, 1].map(
    (share) =>
      `<path d="M${MARGIN.left} ${y(share)}H${WIDTH - MARGIN.right}" stroke="#dddddd"/><text x="${MARGIN.left - 6}" y="${y(share) + 4}" text-anchor="end">${share}</text>`,
  );
  const ticks = [0, ...CHECKPOINTS].map(
    (at) => `<text x="${x(at)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${at}</text>`,
  );
  return `<text x="${MARGIN.left}" y="16" font-weight="bold">${escaped(user)}</text>${marks.join('')}${ticks.join('')}`;
}

function line(row: Row, colour: number): string {
  const points = CHECKPOINTS.flatMap((at, index) => {
    const share = row.heldOut[index];
    return share ? [{ at, ...share }] : [];
  });
  const path = points
    .map(({ at, median }, index) => `${index === 0 ? 'M' : 'L'}${x(at)} ${y(median)}`)
    .join('');
  const bars = points.map(
    ({ at, min, max }) =>
      `<path d="M${x(at)} ${y(min)}V${y(max)}" stroke="${colourOf(colour)}" stroke-opacity="0.4"/>`,
  );
  return `<path d="${path}" fill="none" stroke="${colourOf(colour)}" stroke-width="2"/>${bars.join('')}`;
}

function x(interactions: number): number {
  return MARGIN.left + (interactions / MAX_INTERACTIONS) * (WIDTH - MARGIN.left - MARGIN.right);
}

function y(share: number): number {
  return HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#000000';
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
