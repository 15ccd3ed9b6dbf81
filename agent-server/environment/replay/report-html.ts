/**
 * The result of a replay as one HTML page that needs nothing else: no script, no font, no address outside. All
 * text from the repository and the model is escaped. The curve is `report-chart.ts`'s. Pure.
 */
import { versionNumber } from '../../protocol/ids.ts';
import { curveChart } from './report-chart.ts';
import { REPORT_STYLE } from './report-style.ts';
import { FEATURE_NAMES } from './report-text.ts';
import type { ReplayResult } from './result.ts';

export function reportHtml(result: ReplayResult, madeAt: Date): string {
  const { heldOut } = result;
  const title = `Apprentice: commit messages for ${baseName(result.repo)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<p class="kicker">Apprentice replay</p>
<h1>Learning to write commit messages like the author of <span>${escapeHtml(baseName(result.repo))}</span></h1>
<p class="lead">The policy proposed a message for each of ${result.commits} commits and was corrected by the one that was really committed. ${result.test} later commits were held out and answered, greedily, before and after.</p>
</header>
<main>
<section class="cards">
${card('Convention match', share(heldOut.before), share(heldOut.after), heldOut.control === null ? null : share(heldOut.control))}
${card('chrF', heldOut.chrfBefore.toFixed(1), heldOut.chrfAfter.toFixed(1), heldOut.chrfControl?.toFixed(1) ?? null)}
<div class="card"><h2>Versions served</h2><p class="figure">${result.versions}</p><p class="note">adapters trained and swapped in</p></div>
<div class="card"><h2>Time</h2><p class="figure">${minutes(result.seconds)}</p><p class="note">first question to last answer</p></div>
</section>
<section>
<h2>While it learnt</h2>
<p class="note">Share of the author's conventions in each proposal as it was made (sampled, before its correction was seen), and the mean of five. A tick below marks a new version answering.</p>
${curveChart(result)}
</section>
<section>
<h2>Conventions of the author</h2>
<p class="note">Found in the ${result.commits} training messages alone. Each figure is the share of the ${result.test} held-out messages that have it.</p>
<table class="features"><thead><tr><th scope="col">Convention</th><th scope="col">The author's</th><th scope="col">Before</th><th scope="col">After</th>${heldOut.control === null ? '' : '<th scope="col">Control</th>'}</tr></thead><tbody>
${heldOut.features
  .map(
    ({ feature, before, after, control }) =>
      `<tr><th scope="row">${FEATURE_NAMES[feature]}</th><td>${escapeHtml(convention(result, feature))}</td>${meter(before)}${meter(after)}${control === null ? '' : meter(control)}</tr>`,
  )
  .join('\n')}
</tbody></table>
</section>
<section>
<h2>Every held-out commit</h2>
${heldOutTable(result)}
</section>
<section>
<h2>Every training commit</h2>
<details><summary>Show the ${result.training.length} proposals, oldest first</summary>
${trainingTable(result)}
</details>
</section>
</main>
<footer>
<p>${escapeHtml(result.repo)}; skipped: ${escapeHtml(skippedText(result))}. Diffs cut to ${result.diffBudgetTokens} tokens. Method ${escapeHtml(result.learning.method)}, learning rate ${result.learning.hyperparameters.learningRate}, LoRA rank ${result.learning.hyperparameters.loraRank}, replay ${result.learning.replay}, anchors ${result.learning.anchors}. ${heldOut.control === null ? '' : `Control: the same run with advantages permuted within each response and demonstration tokens shuffled. `}Made ${escapeHtml(madeAt.toISOString())}.</p>
</footer>
</body>
</html>
`;
}

function card(name: string, before: string, after: string, control: string | null): string {
  return `<div class="card main"><h2>${name}</h2><p class="figure"><span class="was">${before}</span><span class="arrow" aria-label="to"> → </span>${after}</p><p class="note">held-out, before and after${control === null ? '' : `; control ${control}`}</p></div>`;
}

function heldOutTable(result: ReplayResult): string {
  const withControl = result.heldOut.control !== null;
  const rows = result.heldOut.rows.map(
    (
      row,
    ) => `<tr><td class="sha">${escapeHtml(row.sha.slice(0, 7))}</td><td class="message">${escapeHtml(row.real)}</td>
${proposal(row.before, row.share.before)}${proposal(row.after, row.share.after)}${withControl ? proposal(row.control ?? '', row.share.control ?? 0) : ''}</tr>`,
  );
  return `<div class="scroll"><table class="answers"><thead><tr><th scope="col">Commit</th><th scope="col">The author wrote</th><th scope="col">Before</th><th scope="col">After</th>${withControl ? '<th scope="col">Control</th>' : ''}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function trainingTable(result: ReplayResult): string {
  const rows = result.training.map(
    (row) =>
      `<tr><td class="sha">${escapeHtml(row.sha.slice(0, 7))}</td><td class="message">${escapeHtml(row.real)}</td>${proposal(row.proposed, row.share)}<td>${row.score === null ? '' : row.score > 0 ? '+1' : row.score}</td><td>v${versionNumber(row.version)}</td><td>${row.learntBy === null ? '' : `v${versionNumber(row.learntBy)}`}</td></tr>`,
  );
  return `<div class="scroll"><table class="answers"><thead><tr><th scope="col">Commit</th><th scope="col">The author wrote</th><th scope="col">Proposed</th><th scope="col">Score</th><th scope="col">By</th><th scope="col">Learnt by</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function proposal(text: string, matched: number): string {
  const level = matched >= 0.85 ? 'good' : matched >= 0.5 ? 'half' : 'poor';
  return `<td class="message"><div class="clip">${escapeHtml(text.trim() === '' ? '(empty)' : text)}</div><span class="chip ${level}">${share(matched)}</span></td>`;
}

function meter(value: number): string {
  return `<td><span class="meter" aria-hidden="true"><span style="width:${Math.round(value * 100)}%"></span></span> ${share(value)}</td>`;
}

function convention({ style }: ReplayResult, feature: keyof typeof FEATURE_NAMES): string {
  switch (feature) {
    case 'typePrefix':
      return style.typePrefix === 'type' ? 'type (fix:, feat:)' : (style.typePrefix ?? '');
    case 'scope':
      return style.scope ? 'written' : 'left out';
    case 'case':
      return `${style.case ?? ''}-case first letter`;
    case 'finalPeriod':
      return style.finalPeriod ? 'written' : 'left out';
    case 'body':
      return style.oneLine ? 'one line' : 'with a body';
    case 'length':
      return style.length === null ? '' : `${style.length.min} to ${style.length.max} characters`;
  }
}

function skippedText({ skipped }: ReplayResult): string {
  const parts = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

function share(value: number): string {
  return value.toFixed(2);
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;
}

function baseName(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}

/** Text as it may stand in an element or a quoted attribute. Control and direction marks are shown, not obeyed. */
export function escapeHtml(text: string): string {
  return text
    .replace(/(?![\n\t])[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
