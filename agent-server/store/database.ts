/** One SQLite connection: prepared statements by text, transactions, and who is told of a change. No tables. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { z } from 'zod';
import type { StoreChange } from './store.ts';

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #listeners = new Set<(what: StoreChange) => void>();
  /** Changes of the transaction under way, null outside of one. */
  #pending: Set<StoreChange> | null = null;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Every row, parsed. Positional parameters. */
  all<S extends z.ZodType>(row: S, sql: string, ...parameters: SQLInputValue[]): z.infer<S>[] {
    return this.#prepare(sql)
      .all(...parameters)
      .map((found) => row.parse(found));
  }

  /** The first row, parsed, or undefined. */
  get<S extends z.ZodType>(row: S, sql: string, ...parameters: SQLInputValue[]): z.infer<S> | undefined {
    const found = this.#prepare(sql).get(...parameters);
    return found === undefined ? undefined : row.parse(found);
  }

  /** Runs a statement inside `write`. Returns how many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...parameters).changes);
  }

  /**
   * `work` as one transaction; listeners hear of `changes` once it is committed. `work` may answer null to
   * say that it changed nothing: then nobody is told. Inside another `write` it is part of that transaction.
   */
  write<R>(changes: readonly StoreChange[], work: () => R): R {
    if (this.#pending !== null) {
      const result = work();
      if (result !== null) for (const what of changes) this.#pending.add(what);
      return result;
    }
    const pending = new Set<StoreChange>();
    this.#pending = pending;
    let result: R;
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      result = work();
      this.#db.exec('COMMIT');
    } catch (error) {
      // SQLite has already rolled back by itself after some errors (a full disk); a second ROLLBACK would hide them.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    } finally {
      this.#pending = null;
    }
    if (result !== null) for (const what of changes) pending.add(what);
    for (const what of pending) for (const listener of this.#listeners) listener(what);
    return result;
  }

  onChange(listener: (what: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
