/** A second window of a VS Code that is open already: another page of the same browser, with an extension host of its own. */
import { Workbench } from './workbench.ts';

/** `place`: a folder, or a .code-workspace file. Resolves when the window is drawn; it closes with the first one's browser. */
export async function openAnother(workbench: Workbench, place: string): Promise<Workbench> {
  const { origin } = new URL(workbench.page.url());
  const page = await workbench.page.context().newPage();
  const kind = place.endsWith('.code-workspace') ? 'workspace' : 'folder';
  // How long drawing may take is for ready() to say.
  await page.goto(`${origin}/?${kind}=${encodeURIComponent(place)}`, { waitUntil: 'commit' });
  const another = new Workbench(page);
  await another.ready();
  return another;
}
