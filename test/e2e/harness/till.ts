/** A real VS Code on the sample repository, with a home folder of its own, and an author at work in it. */
import { join } from 'node:path';
import { Author } from './author.ts';
import { openWindow } from './launch.ts';
import { makeProfile, type Profile } from './profile.ts';
import { makeRepository, type SampleRepository } from './sample-repository.ts';
import type { Workbench } from './workbench.ts';

export interface Till {
  profile: Profile;
  repository: SampleRepository;
  workbench: Workbench;
  author: Author;
  /** Takes a last screenshot of this name, closes the window and removes everything. */
  close: (screenshot: string) => Promise<void>;
}

/** `prepare`: what is done before the window opens; `options`: of the profile. Whether the folder is trusted is the caller's to answer. */
export async function openTill(
  prepare: (profile: Profile, repository: SampleRepository) => Promise<void> | void = () => undefined,
  options: Parameters<typeof makeProfile>[0] = {},
): Promise<Till> {
  const profile = makeProfile(options);
  const repository = makeRepository(join(profile.root, 'till'), profile.env);
  await prepare(profile, repository);
  const window = await openWindow(profile, repository.root).catch((error: unknown) => {
    profile.remove();
    throw error;
  });
  const { workbench } = window;
  const close = async (screenshot: string): Promise<void> => {
    try {
      await workbench.screenshot(screenshot);
      await window.close();
    } finally {
      profile.remove();
    }
  };
  const author = new Author(workbench, repository, profile.apprenticeHome);
  return { profile, repository, workbench, author, close };
}
