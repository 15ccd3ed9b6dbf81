/** One SQLite connection: prepared statements by text, transactions, and who is told of a change. No tables. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { z } from 'zod';
import { isDamage, storeError } from './sqlite-errors.ts';
import type { StoreChange } from './store.ts';

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #listeners = new Set<(what: StoreChange) => void>();
  readonly #onDamage: (error: Error) => void;
  /** Told of once the transaction in progress is committed. */
  readonly #changed = new Set<StoreChange>();

  /** `onDamage` hears, once, that a page of the file is not what SQLite wrote; the call that met it throws. */
  constructor(db: DatabaseSync, onDamage: (error: Error) => void) {
    this.#db = db;
    let told = false;
    this.#onDamage = (error) => {
      if (!told) onDamage(error);
      told = true;
    };
  }

  /** Every row, parsed. Positional parameters. */
  all<S extends z.ZodType>(row: S, sql: string, ...parameters: SQLInputValue[]): z.infer<S>[] {
    return this.#ask(() => this.#prepare(sql).all(...parameters)).map((found) => row.parse(found));
  }

  /** The first row, parsed, or undefined. */
  get<S extends z.ZodType>(row: S, sql: string, ...parameters: SQLInputValue[]): z.infer<S> | undefined {
    const found = this.#ask(() => this.#prepare(sql).get(...parameters));
    return found === undefined ? undefined : row.parse(found);
  }

  /** Runs a statement inside `write`. Returns how many rows it changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#ask(() => this.#prepare(sql).run(...parameters)).changes);
  }

  /**
   * `work` as one transaction; listeners hear of `changes` once it is committed. `work` may answer null to say
   * that it changed nothing: then nobody is told. Inside `together` it is a part of the outer transaction: it
   * still changes all or nothing, and is durable when the outer one is.
   */
  write<R>(changes: readonly StoreChange[], work: () => R): R {
    const result = this.#db.isTransaction
      ? this.#within('SAVEPOINT part', 'RELEASE part', 'ROLLBACK TO part', work)
      : this.#outermost(work);
    if (result !== null) for (const what of changes) this.#changed.add(what);
    if (!this.#db.isTransaction) this.#tell();
    return result;
  }

  /**
   * All writes within `work` as one transaction: durable together when it returns. A write that throws undoes
   * itself; the others stand when `work` catches that, and are undone with it when it does not.
   */
  together<R>(work: () => R): R {
    if (this.#db.isTransaction) return work();
    const result = this.#outermost(work);
    this.#tell();
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

  #outermost<R>(work: () => R): R {
    try {
      return this.#within('BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK', work);
    } catch (error) {
      this.#changed.clear();
      throw error;
    }
  }

  #within<R>(begin: string, commit: string, undo: string, work: () => R): R {
    this.#ask(() => this.#prepare(begin).run());
    try {
      const result = work();
      this.#ask(() => this.#prepare(commit).run());
      return result;
    } catch (error) {
      // SQLite has already rolled back by itself after some errors (a full disk); a second ROLLBACK would hide them.
      if (this.#db.isTransaction) {
        this.#prepare(undo).run();
        if (commit !== 'COMMIT') this.#prepare(commit).run();
      }
      throw error;
    }
  }

  #tell(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const what of changed) for (const listener of this.#listeners) listener(what);
  }

  #ask<R>(question: () => R): R {
    try {
      return question();
    } catch (error) {
      if (isDamage(error) && error instanceof Error) this.#onDamage(error);
      throw storeError(error);
    }
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
