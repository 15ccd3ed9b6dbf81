/** The agent-server's process: flags, log, signals. What it is made of is server.ts. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { homeFolder, readConfig } from './config.ts';
import { boundHeap } from './heap.ts';
import { createLog, logFileWriter } from './log.ts';
import { toApprenticeError } from './protocol/errors.ts';
import { startAgentServer } from './server.ts';

async function main(): Promise<void> {
  boundHeap();
  // --parent-pipe: end when standard input does, that is, with the process that started this one.
  const { values } = parseArgs({ options: { 'parent-pipe': { type: 'boolean', default: false } } });
  const home = homeFolder(process.env);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = createLog('info', logFileWriter(join(home, 'logs', 'agent-server.log')));
  const crash = (error: unknown): void => {
    log.error(
      `Ended by an error that nothing caught: ${error instanceof Error ? error.stack : String(error)}`,
    );
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);

  const started = await startAgentServer({ home, config: readConfig(home), env: process.env, log }).catch(
    (error: unknown) => {
      log.error(`Not started: ${toApprenticeError(error).message}`);
      throw error;
    },
  );
  if (started.kind === 'elsewhere') {
    log.info(`Process ${started.discovery.pid} serves ${home} already.`);
    return;
  }
  const stop = (): void => void started.stop();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (values['parent-pipe']) process.stdin.once('end', stop).once('error', stop).resume();
  await started.stopped;
  log.info('Stopped.');
}

main().then(
  () => process.exit(0),
  (thrown: unknown) => {
    const error = toApprenticeError(thrown);
    process.stderr.write(`${error.message} ${error.remedy}\n`);
    process.exit(1);
  },
);
