/** Which repository a document belongs to, and what git calls it there. Pure; both kinds of paths. */
import path from 'node:path';

type Paths = Pick<typeof path, 'relative' | 'isAbsolute' | 'sep'>;

/** `document` as git names it, from the root and with `/`; null: it lies outside. */
export function gitPath(root: string, document: string, paths: Paths = path): string | null {
  const inside = paths.relative(root, document);
  if (inside === '' || inside === '..' || inside.startsWith(`..${paths.sep}`) || paths.isAbsolute(inside))
    return null;
  return inside.split(paths.sep).join('/');
}

/** Is `root` the innermost of the repositories that the document lies in? */
export function isOwner(
  root: string,
  document: string,
  roots: readonly string[],
  paths: Paths = path,
): boolean {
  const own = gitPath(root, document, paths);
  return (
    own !== null &&
    roots.every(
      (other) => (gitPath(other, document, paths)?.length ?? Number.POSITIVE_INFINITY) >= own.length,
    )
  );
}
