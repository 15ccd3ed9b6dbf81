/** The report's style sheet: light and dark, narrow and wide, on paper too. */

export const REPORT_STYLE = `
:root { color-scheme: light dark; --page: #fbfbfa; --ink: #1d2126; --soft: #636b76; --line: #dfe2e6; --card: #fff;
  --accent: #0b6bcb; --good: #1a7f4b; --half: #9a6700; --poor: #b3372f; --was: #8a929d; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --ink: #e8eaed; --soft: #9aa4b0; --line: #2f353d;
  --card: #1c2026; --accent: #5aa9f5; --good: #57c78a; --half: #e0b04c; --poor: #f0857c; --was: #7d8794; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 40px 28px 56px; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
.kicker { margin: 0; color: var(--accent); font-weight: 600; font-size: 13px; letter-spacing: .04em; }
h1 { margin: 6px 0 10px; font-size: 29px; line-height: 1.2; letter-spacing: -.015em; text-wrap: balance; }
h1 span { color: var(--accent); overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 19px; letter-spacing: -.01em; }
.lead { max-width: 70ch; margin: 0; color: var(--soft); }
section { margin-top: 38px; }
.note { margin: 2px 0 12px; color: var(--soft); font-size: 13.5px; max-width: 78ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(215px, 1fr)); gap: 14px; margin-top: 28px; }
.card { padding: 16px 18px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card h2 { font-size: 13.5px; font-weight: 600; color: var(--soft); }
.card .figure { margin: 2px 0; font-size: 29px; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.card .was, .card .arrow { color: var(--was); font-weight: 450; }
.card .note { margin: 0; font-size: 12.5px; }
.curve { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.curve .grid { stroke: var(--line); }
.curve .axis { fill: var(--soft); }
.curve .dot { fill: var(--accent); opacity: .45; }
.curve .mean { fill: none; stroke: var(--accent); stroke-width: 2.5; stroke-linejoin: round; }
.curve .version { stroke: var(--soft); }
.curve .level { stroke-dasharray: 5 5; stroke-width: 1.5; }
.curve .level.before { stroke: var(--was); } .curve .level.after { stroke: var(--good); }
.curve .level.control { stroke: var(--half); }
.curve .name { font-weight: 600; } .curve .name.before { fill: var(--soft); } .curve .name.after { fill: var(--good); }
.curve .name.control { fill: var(--half); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; }
th, td { padding: 9px 10px 9px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; font-size: 12.5px; }
tbody th { font-weight: 550; }
td { font-variant-numeric: tabular-nums; }
.sha { color: var(--soft); }
.sha, .message { font-family: ui-monospace, "Cascadia Code", Menlo, monospace; font-size: 12.5px; }
.message { min-width: 210px; }
.answers .message { white-space: pre-wrap; overflow-wrap: anywhere; }
.clip { max-height: 8.2em; overflow: hidden auto; }
.chip { display: inline-block; margin-top: 5px; padding: 0 7px; border: 1px solid currentcolor; border-radius: 9px;
  font: 600 11.5px/1.5 system-ui, sans-serif; }
.chip.good { color: var(--good); } .chip.half { color: var(--half); } .chip.poor { color: var(--poor); }
.meter { display: inline-block; width: 84px; height: 7px; margin-right: 6px; border-radius: 4px; background: var(--line);
  overflow: hidden; }
.meter span { display: block; height: 100%; background: var(--accent); }
summary { cursor: pointer; padding: 6px 0; color: var(--accent); }
footer { margin-top: 40px; padding-top: 14px; border-top: 1px solid var(--line); color: var(--soft); font-size: 12.5px; }
footer p { overflow-wrap: anywhere; margin: 0; }
@media print { body { max-width: none; padding: 0; } .clip { max-height: none; } }
`;
