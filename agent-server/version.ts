/** The release that this process is, as package.json says it. */
import manifest from '../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;
