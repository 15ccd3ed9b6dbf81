/**
 * `npm run vscode`: a real VS Code in the browser with the packaged extension and a sample workspace, until
 * Ctrl-C. Its settings and what Apprentice learns stay in .apprentice/vscode-user. `--port N`, `--folder DIR`.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../../fixtures/runtime.ts';
import { hasCodeServer, startCodeServer } from './code-server.ts';
import { endAgentServer } from './launch.ts';
import { makeProfile } from './profile.ts';
import { makeRepository } from './sample-repository.ts';

const DEFAULT_PORT = 8130;

const { values } = parseArgs({ options: { port: { type: 'string' }, folder: { type: 'string' } } });
const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
if (!Number.isInteger(port) || port < 1 || port > 65_535)
  throw new Error(`--port ${values.port} is no port.`);
if (!hasCodeServer()) {
  throw new Error(
    'VS Code in the browser runs on Linux. Elsewhere install dist/apprentice.vsix into your VS Code.',
  );
}

const profile = makeProfile({ parent: join(repositoryRoot, '.apprentice', 'vscode-user') });
const sample = join(profile.root, 'till');
const folder = values.folder === undefined ? sample : resolve(values.folder);
if (folder === sample && !existsSync(join(sample, '.git'))) {
  const repository = makeRepository(sample, profile.env);
  repository.write(
    'src/total.js',
    'export function total(prices) {\n  return prices.filter(Number.isFinite).reduce((sum, price) => sum + price, 0);\n}\n',
  );
  repository.git('add', '--all');
}

const server = await startCodeServer(profile, { port });
process.stdout.write(`
VS Code runs at ${server.urlFor(folder)}

Open it in your browser and say that you trust the folder. In Source Control press the mortar board
("Apprentice: Write Commit Message"), change the message to your taste, and commit. The view "Agent
improvement" in the activity bar shows what is learnt from it. Ctrl-C ends all of it.
`);

const ended = Promise.withResolvers<void>();
// Replaces the handlers that end a test run at once: here the servers are given time to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.removeAllListeners(signal);
  process.once(signal, () => ended.resolve());
}
server.group.child.once('exit', () => ended.reject(new Error(`code-server ended.\n${server.log()}`)));
try {
  await ended.promise;
} finally {
  server.group.child.removeAllListeners('exit');
  await server.group.end();
  await endAgentServer(profile.apprenticeHome);
}
