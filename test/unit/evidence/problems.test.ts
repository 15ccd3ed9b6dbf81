import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readProblems } from '../../../agent-server/evidence/problems/read-problems.ts';
import { output } from './outputs.ts';

/** `source path:line severity code message` of the first problem, and how many errors there are. */
const CASES: Readonly<Record<string, [errors: number, first: string]>> = {
  tsc: [2, "tsc pricing.ts:2 error TS2322 Type 'number' is not assignable to type 'string'."],
  'tsc-pretty': [2, "tsc pricing.ts:2 error TS2322 Type 'number' is not assignable to type 'string'."],
  msbuild: [
    1,
    "msbuild /home/dev/shop/dotnet/src/Pricing.cs:5 error CS0029 Cannot implicitly convert type 'string' to 'int'",
  ],
  eslint: [
    3,
    "eslint /home/dev/shop/lint/pricing.js:1 error no-unused-vars 'unused' is assigned a value but never used",
  ],
  'eslint-json': [
    3,
    "eslint /home/dev/shop/lint/pricing.js:1 error no-unused-vars 'unused' is assigned a value but never used.",
  ],
  gcc: [6, 'gcc pricing.c:5 error null expected ‘,’ or ‘;’ before ‘for’'],
  'gcc-link': [1, "gcc link.c:null error null undefined reference to `tax'"],
  clang: [2, "gcc pricing.c:4 error null expected ';' at end of declaration"],
  rustc: [2, 'rustc src/lib.rs:3 error E0308 mismatched types: expected `i64`, found `&str`'],
  'cargo-test-broken': [2, 'rustc src/lib.rs:3 error E0308 mismatched types: expected `i64`, found `&str`'],
  javac: [2, 'javac Pricing.java:5 error null incompatible types: int cannot be converted to String'],
  'go-build': [2, 'go bad/bad.go:5 error null imported and not used: "os"'],
  'go-vet': [1, 'go bad/bad.go:6 error null fmt.Printf format %d has arg "sum" of wrong type string'],
  mypy: [3, 'mypy typed.py:5 error return-value Incompatible return value type (got "str", expected "int")'],
  pyright: [
    3,
    'pyright /home/dev/shop/py/typed.py:5 error reportReturnType Type "Literal[\'sum\']" is not assignable to return type "int"',
  ],
  ruff: [2, 'ruff typed.py:1 error F401 `os` imported but unused'],
  'ruff-concise': [2, 'ruff typed.py:1 error F401 `os` imported but unused'],
};

describe('EVID-6: compilers and linters are read as file, line, severity, code and message', () => {
  for (const [name, [errors, expected]] of Object.entries(CASES)) {
    it(name, () => {
      const found = readProblems(output(name).replaceAll('\n', '\r\n'));
      const first = found[0];
      assert.ok(first !== undefined);
      const { source, path, line, severity, code, message } = first;
      assert.equal(`${source} ${path}:${line} ${severity} ${code} ${message}`, expected);
      assert.equal(found.filter((one) => one.severity === 'error').length, errors);
    });
  }
});

it('EVID-6: the JSON of ESLint is read when it is cut', () => {
  const text = output('eslint-json');
  const found = readProblems(`${text.slice(0, -200)}`);
  assert.equal(found[0]?.code, 'no-unused-vars');
});

it('EVID-6: Maven says the same as javac', () => {
  const [found] = readProblems(
    '[ERROR] /src/Pricing.java:[5,22] incompatible types: int cannot be converted',
  );
  assert.deepEqual([found?.path, found?.line], ['/src/Pricing.java', 5]);
});

it('EVID-6: passing tests and plain text hold no problems', () => {
  for (const text of [
    '',
    'error',
    'warning: x',
    '12:30:01 info: ready',
    output('vitest-passed'),
    output('go-test'),
  ]) {
    assert.deepEqual(readProblems(text), [], text.slice(0, 60));
  }
});
