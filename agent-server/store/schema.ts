/** The whole schema, as migrations from the first day. A migration, once released, is never edited. */
import { MIGRATION_1 } from './migration-1.ts';
import { MIGRATION_2 } from './migration-2.ts';
import { MIGRATION_3 } from './migration-3.ts';
import { MIGRATION_4 } from './migration-4.ts';

export const MIGRATIONS: readonly string[] = [MIGRATION_1, MIGRATION_2, MIGRATION_3, MIGRATION_4];
