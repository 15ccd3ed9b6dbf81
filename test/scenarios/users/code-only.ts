/** Wants the code and nothing else: one Python block, no chatter before or after it. */
import type { SimulatedUser, Task } from './user.ts';

const FUNCTIONS: readonly (readonly [wanted: string, code: string])[] = [
  ['adds two numbers', 'def add(a, b):\n    return a + b'],
  ['returns the larger of two numbers', 'def larger(a, b):\n    return a if a > b else b'],
  ['counts the vowels in a text', "def vowels(text):\n    return sum(c in 'aeiou' for c in text.lower())"],
  ['reverses a string', 'def reverse(text):\n    return text[::-1]'],
  ['says whether a number is even', 'def is_even(n):\n    return n % 2 == 0'],
  ['sums a list', 'def total(items):\n    return sum(items)'],
  ['returns the last item of a list', 'def last(items):\n    return items[-1]'],
  ['squares every number of a list', 'def squares(items):\n    return [n * n for n in items]'],
  ['joins words with commas', "def join(words):\n    return ', '.join(words)"],
  ['counts the lines of a text', 'def lines(text):\n    return len(text.splitlines())'],
  ['removes duplicates from a list', 'def unique(items):\n    return list(dict.fromkeys(items))'],
  ['turns Celsius into Fahrenheit', 'def fahrenheit(c):\n    return c * 9 / 5 + 32'],
  ['says whether a word is a palindrome', 'def palindrome(word):\n    return word == word[::-1]'],
  ['returns the average of a list', 'def average(items):\n    return sum(items) / len(items)'],
  ['capitalises each word', 'def title(text):\n    return text.title()'],
  ['finds the longest word in a list', 'def longest(words):\n    return max(words, key=len)'],
  ['counts how often an item occurs', 'def count(items, item):\n    return items.count(item)'],
  ['flattens a list of lists', 'def flatten(rows):\n    return [x for row in rows for x in row]'],
  ['returns the factorial of n', 'def factorial(n):\n    return 1 if n < 2 else n * factorial(n - 1)'],
  ['reads a file as text', 'def read(path):\n    return open(path).read()'],
  ['swaps keys and values of a dict', 'def swap(d):\n    return {v: k for k, v in d.items()}'],
  ['returns the first n items', 'def first(items, n):\n    return items[:n]'],
  ['strips the spaces around a text', 'def strip(text):\n    return text.strip()'],
  ['says whether a list is empty', 'def is_empty(items):\n    return not items'],
  ['sorts a list from high to low', 'def descending(items):\n    return sorted(items, reverse=True)'],
  ['clamps a number between two limits', 'def clamp(n, low, high):\n    return max(low, min(n, high))'],
  ['returns the absolute value', 'def absolute(n):\n    return n if n >= 0 else -n'],
  ['splits a text into words', 'def words(text):\n    return text.split()'],
  ['merges two dicts', 'def merge(a, b):\n    return {**a, **b}'],
  ['returns the middle item of a list', 'def middle(items):\n    return items[len(items) // 2]'],
  ['counts the digits of a number', 'def digits(n):\n    return len(str(abs(n)))'],
  ['keeps only the positive numbers', 'def positive(items):\n    return [n for n in items if n > 0]'],
  [
    'multiplies all numbers of a list',
    'def product(items):\n    r = 1\n    for n in items:\n        r *= n\n    return r',
  ],
  ['returns the sign of a number', 'def sign(n):\n    return (n > 0) - (n < 0)'],
  ['repeats a text n times', 'def repeat(text, n):\n    return text * n'],
  ['zips two lists into pairs', 'def pairs(a, b):\n    return list(zip(a, b))'],
  ['returns the smallest item', 'def smallest(items):\n    return min(items)'],
  [
    'says whether a year is a leap year',
    'def leap(y):\n    return y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)',
  ],
  ['rounds a number to two places', 'def cents(n):\n    return round(n, 2)'],
  ['returns the difference of two sets', 'def only(a, b):\n    return a - b'],
  ['turns seconds into minutes', 'def minutes(seconds):\n    return seconds / 60'],
  [
    'checks that a text starts with a prefix',
    'def starts(text, prefix):\n    return text.startswith(prefix)',
  ],
  ['returns the length of a text', 'def length(text):\n    return len(text)'],
  ['builds a greeting for a name', "def greet(name):\n    return f'Hello, {name}!'"],
  ['returns the nth Fibonacci number', 'def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)'],
  ['replaces spaces with underscores', "def snake(text):\n    return text.replace(' ', '_')"],
  ['returns the keys of a dict as a list', 'def keys(d):\n    return list(d)'],
  [
    'says whether all items are numbers',
    'def numeric(items):\n    return all(isinstance(n, (int, float)) for n in items)',
  ],
];

export const codeOnly: SimulatedUser = {
  name: 'student: code only',
  taste: 'one Python block and nothing else',
  maxTokens: 224,
  tasks: FUNCTIONS.map(
    ([wanted, code]): Task => ({
      request: `Write a Python function that ${wanted}.`,
      rewrite: `\`\`\`python\n${code}\n\`\`\``,
      mentions: [],
    }),
  ),
  satisfied: (answer) => {
    const block = /^```python\n([^`]+)\n```$/.exec(answer.trim());
    return block?.[1]?.includes('def ') ?? false;
  },
};
