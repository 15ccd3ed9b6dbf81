/**
 * Tasks of the teacher contest: a request, what followed the model's own answer (a rewrite, a failing test, a
 * compiler's message, a reviewer's words), and a check in code of whether a new answer takes it up. Small enough for
 * a model of 135M parameters to be able to do what is asked.
 */

export type ContestKind = 'rewrite' | 'test' | 'compiler' | 'review';

export interface ContestTask {
  kind: ContestKind;
  request: string;
  /** The rewritten answer, or the hint in words. */
  hint: string;
  /** An answer that takes the hint up: what a teacher should find likelier than the student does. */
  correction: string;
  satisfied: (answer: string) => boolean;
}

const python = (code: string): string => `\`\`\`python\n${code}\n\`\`\``;
const onlyCode = (answer: string): boolean => /^```python\n[^`]+```$/.test(answer.trim());
const conventional = (answer: string): boolean =>
  /^(?:fix|feat|docs|test): [a-z][^\n]{5,60}$/.test(answer.trim());

/** The rewrite itself is the right answer: a teacher that saw it reproduces at least its form. */
function rewritten(request: string, rewrite: string, satisfied: (answer: string) => boolean): ContestTask {
  return { kind: 'rewrite', request, hint: rewrite, correction: rewrite, satisfied };
}

function words(
  kind: Exclude<ContestKind, 'rewrite'>,
  request: string,
  hint: string,
  correction: string,
  satisfied: RegExp | ((answer: string) => boolean),
): ContestTask {
  const check = satisfied instanceof RegExp ? (answer: string) => satisfied.test(answer) : satisfied;
  return { kind, request, hint, correction, satisfied: check };
}

const dashes = (answer: string): boolean => (answer.match(/^\s*-\s/gm)?.length ?? 0) >= 2;
const oneShortSentence = (answer: string): boolean =>
  !answer.trim().includes('\n') && answer.trim().split(/\s+/).length <= 20 && /\w/.test(answer);

export const CONTEST_TASKS: readonly ContestTask[] = [
  rewritten(
    'Write a Python function that reverses a string.',
    python('def reverse(text):\n    return text[::-1]'),
    onlyCode,
  ),
  rewritten(
    'Write a Python function that counts the vowels in a word.',
    python('def count_vowels(word):\n    return sum(letter in "aeiou" for letter in word)'),
    onlyCode,
  ),
  rewritten(
    'Write a Python function that returns the largest of three numbers.',
    python('def largest(a, b, c):\n    return max(a, b, c)'),
    onlyCode,
  ),
  rewritten(
    'Write the commit message for this change: the login page showed the wrong error when the password was empty; now it shows "Password required".',
    'fix: show the right error for an empty password',
    conventional,
  ),
  rewritten(
    'Write the commit message for this change: a new button lets users export their notes as PDF.',
    'feat: export notes as pdf',
    conventional,
  ),
  rewritten(
    'Write the commit message for this change: the README explains how to install the tool on Windows.',
    'docs: explain the installation on windows',
    conventional,
  ),

  words(
    'test',
    'Write a Python function that adds two numbers.',
    "NameError: name 'add_numbers' is not defined. The test calls add_numbers(2, 3).",
    python('def add_numbers(a, b):\n    return a + b'),
    /def add_numbers\(/,
  ),
  words(
    'test',
    'Write a Python function that returns a greeting for a name.',
    "AssertionError: greet('Ann') returned 'Hello Ann', expected 'Good morning, Ann!'.",
    python('def greet(name):\n    return f"Good morning, {name}!"'),
    /return f?["'][^"']*Good morning/,
  ),
  words(
    'test',
    'Write a Python function that joins a list of words into one string.',
    "AssertionError: expected 'a-b-c' but got 'a b c'.",
    python('def join_words(words):\n    return "-".join(words)'),
    /['"]-['"]\s*\.join/,
  ),
  words(
    'test',
    'Write a Python function that computes the square of a number.',
    "AttributeError: module 'solution' has no attribute 'square_of'.",
    python('def square_of(number):\n    return number ** 2'),
    /def square_of\(/,
  ),
  words(
    'test',
    'Write a Python function that returns the average of a list of numbers.',
    'test_empty failed: expected 0 for an empty list but got ZeroDivisionError.',
    python(
      'def average(numbers):\n    if not numbers:\n        return 0\n    return sum(numbers) / len(numbers)',
    ),
    /if (?:not \w+|len\(\w+\) == 0|\w+ == \[\]):\s+return 0/,
  ),
  words(
    'test',
    'Give a JSON object that describes a book.',
    'test_book failed: expected the keys "title", "author" and "isbn", but "isbn" is missing.',
    '```json\n{"title": "Emma", "author": "Jane Austen", "isbn": "9780141439587"}\n```',
    /"isbn"\s*:/i,
  ),
  words(
    'test',
    'Write a Python function that says whether a number is positive or negative.',
    "ImportError: cannot import name 'check_sign' from 'solution'.",
    python('def check_sign(number):\n    return "positive" if number > 0 else "negative"'),
    /def check_sign\(/,
  ),
  words(
    'test',
    'Write a Python function that returns a weather message for a city.',
    "AssertionError: expected 'Sunny in Rome' but got 'The weather in Rome is sunny'.",
    python('def weather(city):\n    return f"Sunny in {city}"'),
    /return f?["']Sunny in /,
  ),
  words(
    'test',
    'Write a Python class for a bank account.',
    "AttributeError: 'Account' object has no attribute 'deposit_money'.",
    python(
      'class Account:\n    balance = 0\n\n    def deposit_money(self, amount):\n        self.balance += amount',
    ),
    /def deposit_money\(/,
  ),
  words(
    'test',
    'Write a Python function that formats a price.',
    "AssertionError: expected '5.00 EUR' but got '$5.00'.",
    python('def format_price(price):\n    return f"{price:.2f} EUR"'),
    /return [^\n]*EUR/,
  ),

  words(
    'compiler',
    'Write a TypeScript function that adds two numbers.',
    "error TS2304: Cannot find name 'total'. An exported function 'total' is expected in this file.",
    '```typescript\nexport function total(a: number, b: number): number {\n  return a + b;\n}\n```',
    /function total\b|const total\s*=/,
  ),
  words(
    'compiler',
    'Write a Python function that adds a list of numbers.',
    'mypy: error: Function is missing a return type annotation.',
    python('def add(numbers: list[int]) -> int:\n    return sum(numbers)'),
    /def \w+\([^)]*\)\s*->/,
  ),
  words(
    'compiler',
    'Write a JavaScript function that counts from 1 to n.',
    "eslint: error: 'for' loops are not allowed, use while instead.",
    '```javascript\nfunction count(n) {\n  let i = 1;\n  while (i <= n) {\n    console.log(i);\n    i += 1;\n  }\n}\n```',
    (answer) => /while\s*\(/.test(answer) && !/for\s*\(/.test(answer),
  ),
  words(
    'compiler',
    'Write a Python function that says hello.',
    'ruff: N802 Function name should be lowercase and end with _message: use hello_message.',
    python('def hello_message():\n    return "Hello"'),
    /def hello_message\(/,
  ),
  words(
    'compiler',
    'Write a C function that squares a number.',
    "error: conflicting types for 'square': it is declared as 'double square(double x)'.",
    '```c\ndouble square(double x) {\n    return x * x;\n}\n```',
    /double square\(\s*double/,
  ),
  words(
    'compiler',
    'Write a Python function that checks whether a number is even.',
    "pyright: error: Argument name 'number' is expected: def is_even(number).",
    python('def is_even(number):\n    return number % 2 == 0'),
    /def is_even\(number/,
  ),
  words(
    'compiler',
    'Write a JavaScript function that adds two numbers.',
    'eslint: error: Unexpected function declaration, use an arrow function instead.',
    '```javascript\nconst add = (a, b) => a + b;\n```',
    /=>/,
  ),
  words(
    'compiler',
    'Write a Python function that reads a file.',
    'mypy: error: Function is missing a type annotation for the argument "path": use path: str.',
    python('def read_file(path: str) -> str:\n    with open(path) as file:\n        return file.read()'),
    /def \w+\(path: str/,
  ),
  words(
    'compiler',
    'Write a Java class with a method that doubles a number.',
    'error: class Doubler is expected in Doubler.java, found another class.',
    '```java\npublic class Doubler {\n    public static int twice(int number) {\n        return number * 2;\n    }\n}\n```',
    /class Doubler\b/,
  ),
  words(
    'compiler',
    'Write a Rust function that adds two numbers.',
    'error[E0308]: mismatched types: expected `f64`, found `i32`.',
    '```rust\nfn add(a: f64, b: f64) -> f64 {\n    a + b\n}\n```',
    /fn \w+\([^)]*f64/,
  ),

  words(
    'review',
    'What is a hash map?',
    'Too long. Answer in one short sentence.',
    'A hash map stores values by key.',
    oneShortSentence,
  ),
  words(
    'review',
    'Write a Python function that doubles a number.',
    'Only the code, please, without any explanation.',
    python('def double(number):\n    return number * 2'),
    onlyCode,
  ),
  words(
    'review',
    'Name three fruits.',
    'Please make it a list with dashes, without numbers.',
    '- apple\n- banana\n- cherry',
    dashes,
  ),
  words(
    'review',
    'Review this change: the function now checks for an empty list.',
    'Please begin by thanking the author.',
    'Thank you for this change. Checking for an empty list makes the function safer.',
    /^\W*thank/i,
  ),
  words(
    'review',
    'Write a title for a blog post about cats.',
    'Write everything in lower case.',
    'why cats sleep all day',
    (answer) => /[a-z]/.test(answer) && !/[A-Z]/.test(answer),
  ),
  words(
    'review',
    'Write a Python function that prints the numbers from 1 to 5.',
    'Use a while loop instead of a for loop.',
    python('def numbers():\n    i = 1\n    while i <= 5:\n        print(i)\n        i += 1'),
    (answer) => /while .*:/.test(answer) && !/for .* in /.test(answer),
  ),
  words(
    'review',
    'Explain what Git is.',
    'Please end with a question to the reader.',
    'Git keeps the history of your files. Would you like to try it?',
    /\?\s*$/,
  ),
  words(
    'review',
    'Write a Python function that says hello.',
    'Please call the function welcome.',
    python('def welcome():\n    print("Hello")'),
    /def welcome\(/,
  ),
  words(
    'review',
    'Write a greeting for an email.',
    'In French, please.',
    'Bonjour Madame,',
    /\b(?:Bonjour|Cher|Chère|Salut)\b/,
  ),
  words(
    'review',
    'Write a short note to a colleague about a meeting.',
    'Mention that it is in room 204.',
    'Our meeting is in room 204. See you there!',
    /204/,
  ),
];
