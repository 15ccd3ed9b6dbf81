/** To which turn a run belongs (CAPTURE-3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ATTRIBUTION_MS, Attribution } from '../../../../extension/capture/runs/attribution.ts';

const FOLDER = '/till';
const FILE = '/till/src/total.ts';
const AT_MS = 1_000_000;
const SAVED: ReadonlySet<string> = new Set();

function arrivedAt(...arrivals: [turnId: string, folder: string, atMs: number][]): Attribution {
  const attribution = new Attribution();
  for (const [turnId, folder, atMs] of arrivals) attribution.arrived(turnId, folder, FILE, atMs);
  return attribution;
}

describe('Attribution', () => {
  it('CAPTURE-3: a run belongs to the turn whose edit arrived last before it started', () => {
    const attribution = arrivedAt(
      ['one', FOLDER, AT_MS],
      ['two', FOLDER, AT_MS + 10],
      ['one', FOLDER, AT_MS + 20],
    );
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 30, SAVED)?.turnId, 'one');
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 15, SAVED)?.turnId, 'two');
    assert.equal(attribution.turnOf(FOLDER, AT_MS - 1, SAVED), undefined);
  });

  it('CAPTURE-3: a run in another folder, or half an hour later, belongs to no turn', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS]);
    assert.equal(attribution.turnOf('/other', AT_MS, SAVED), undefined);
    assert.equal(attribution.turnOf(FOLDER, AT_MS + ATTRIBUTION_MS, SAVED)?.turnId, 'one');
    assert.equal(attribution.turnOf(FOLDER, AT_MS + ATTRIBUTION_MS + 1, SAVED), undefined);
  });

  it('CAPTURE-3: what was known before is what was seen before the first edit of the turn', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS], ['one', FOLDER, AT_MS + 500]);
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 600, SAVED)?.arrivedMs, AT_MS);
  });

  it('CAPTURE-5: an edit of the user marks the turn, other pieces of its own edit do not', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS]);
    attribution.edited(FOLDER, AT_MS + 1_000);
    attribution.edited('/other', AT_MS + 60_000);
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 60_000, SAVED)?.editedSince, false);
    attribution.edited(FOLDER, AT_MS + 60_001);
    attribution.arrived('one', FOLDER, FILE, AT_MS + 70_000);
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 80_000, SAVED)?.editedSince, true);
    attribution.arrived('two', FOLDER, FILE, AT_MS + 90_000);
    assert.equal(attribution.turnOf(FOLDER, AT_MS + 90_000, SAVED)?.editedSince, false);
  });

  it('CAPTURE-3: a run that starts before the edits are saved belongs to nobody', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS], ['two', FOLDER, AT_MS]);
    attribution.arrived('two', FOLDER, '/till/src/tax.ts', AT_MS);
    assert.equal(attribution.turnOf(FOLDER, AT_MS, new Set(['/till/src/tax.ts'])), undefined);
    assert.equal(attribution.turnOf(FOLDER, AT_MS, new Set(['/till/notes.md']))?.turnId, 'two');
  });

  it('CAPTURE-3: of one turn a bounded number of runs is reported, and none of an unknown one', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS], ['two', FOLDER, AT_MS]);
    let reports = 0;
    while (attribution.takeReport('one')) reports += 1;
    assert.equal(reports, 50);
    assert.equal(attribution.takeReport('two'), true);
    assert.equal(attribution.takeReport('three'), false);
  });

  it('CAPTURE-3: nothing of the time before learning was turned off counts', () => {
    const attribution = arrivedAt(['one', FOLDER, AT_MS]);
    attribution.clear();
    assert.equal(attribution.turnOf(FOLDER, AT_MS, SAVED), undefined);
  });
});
