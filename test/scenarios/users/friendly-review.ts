/** A teacher: review comments that are friendly, name something good first, and are specific. */
import type { SimulatedUser, Task } from './user.ts';

const WORKS: readonly (readonly [code: string, name: string, good: string, next: string])[] = [
  ['def mean(xs): return sum(xs) / len(xs)', 'mean', 'is short and clear', 'handle an empty list'],
  ['def load(path): return open(path).read()', 'load', 'does one thing only', 'close the file after reading'],
  ['def area(r): return 3.14 * r * r', 'area', 'has a good name', 'use math.pi'],
  [
    'def find(xs, x): return [i for i in xs if i == x][0]',
    'find',
    'is a neat one-liner',
    'say what happens without a match',
  ],
  ['def divide(a, b): return a / b', 'divide', 'is easy to read', 'check for zero'],
  ['def parse(text): return int(text)', 'parse', 'is honest about its job', 'catch bad input'],
  ['def first(xs): return xs[0]', 'first', 'is as simple as it can be', 'handle an empty list'],
  ['def greet(n): print("Hi " + n)', 'greet', 'greets nicely', 'return the text and print it elsewhere'],
  ['def total(cart): return sum(p for p in cart)', 'total', 'uses sum well', 'name the items in the loop'],
  ['def save(d): open("f.txt", "w").write(d)', 'save', 'gets the job done', 'take the path as an argument'],
  [
    'def slow(xs): return [x for x in xs if xs.count(x) == 1]',
    'slow',
    'gives the right result',
    'use a Counter for speed',
  ],
  [
    'def user(id): return db.query("select * from u where id=" + id)',
    'user',
    'is easy to call',
    'bind the id as a parameter',
  ],
  ['def cube(n): return n * n * n', 'cube', 'is clear at a glance', 'add a docstring'],
  ['def last(xs): return xs[len(xs) - 1]', 'last', 'works for every list with items', 'use a negative index'],
  [
    'def big(xs): m = 0\n for x in xs: m = max(m, x)\n return m',
    'big',
    'walks the list once',
    'think of negative numbers',
  ],
  ['def words(t): return t.split(" ")', 'words', 'has a fitting name', 'split on any white space'],
  ['def age(y): return 2024 - y', 'age', 'is a fine first version', 'ask the clock for the year'],
  [
    'def is_odd(n): return True if n % 2 else False',
    'is_odd',
    'reads like a question',
    'return the comparison itself',
  ],
  ['def copy(xs): return xs', 'copy', 'is short', 'make a real copy'],
  ['def add(x, xs=[]): xs.append(x); return xs', 'add', 'has a useful default', 'avoid the shared list'],
  ['def email(t): return "@" in t', 'email', 'catches the common case', 'check both sides of the sign'],
  [
    'def retry(f): \n while True:\n  try: return f()\n  except: pass',
    'retry',
    'never gives up',
    'limit the attempts',
  ],
  ['def price(p): return "$" + str(p)', 'price', 'shows the currency', 'format two decimals'],
  ['def path(a, b): return a + "/" + b', 'path', 'joins both parts', 'use pathlib'],
  ['def count(t): n = 0\n for c in t: n += 1\n return n', 'count', 'shows that you know loops', 'use len'],
  ['def keys(d): return [k for k in d.keys()]', 'keys', 'gives a plain list', 'call list on the dict'],
  ['def secret(): return "hunter2"', 'secret', 'is easy to test', 'read it from the environment'],
  ['def days(m): return 30', 'days', 'is a handy start', 'look at the month'],
  ['def sort(xs): xs.sort(); return xs', 'sort', 'sorts in place quickly', 'leave the argument as it was'],
  [
    'def even(xs): return list(filter(lambda x: x % 2 == 0, xs))',
    'even',
    'filters well',
    'try a comprehension',
  ],
  ['def title(t): return t[0].upper() + t[1:]', 'title', 'keeps the rest as it is', 'handle an empty text'],
  ['def same(a, b): return a == b == True', 'same', 'is brave and short', 'compare the two only'],
  ['def json_of(p): return eval(open(p).read())', 'json_of', 'needs no library', 'use json.load'],
  ['def sleep(): time.sleep(5)', 'sleep', 'is easy to follow', 'take the seconds as an argument'],
  ['def half(n): return n / 2', 'half', 'says what it does', 'decide on integers'],
  ['def log(m): print(m)', 'log', 'is easy to replace later', 'add a level'],
  ['def pick(xs): return xs[random.randint(0, len(xs))]', 'pick', 'uses random well', 'mind the last index'],
  ['def merge(a, b): a.update(b); return a', 'merge', 'keeps the newer values', 'build a new dict'],
  ['def fact(n): return n * fact(n - 1)', 'fact', 'shows recursion nicely', 'add the base case'],
  ['def trim(t): return t.replace(" ", "")', 'trim', 'is quick', 'keep the spaces inside'],
  ['def upper(t): return str.upper(t)', 'upper', 'uses the library', 'call the method on the text'],
  ['def ratio(a, b): return round(a / b)', 'ratio', 'rounds as asked', 'keep two decimals'],
  ['def has(d, k): return k in d.keys()', 'has', 'reads like English', 'test the dict itself'],
  ['def minmax(xs): return min(xs), max(xs)', 'minmax', 'returns both at once', 'walk the list once'],
  ['def url(h): return "http://" + h', 'url', 'saves typing', 'use https'],
  ['def hash_of(p): return hash(p)', 'hash_of', 'has a telling name', 'use hashlib for files'],
  ['def name(u): return u["first"] + u["last"]', 'name', 'uses both parts', 'put a space between them'],
  ['def clean(xs): return [x for x in xs if x]', 'clean', 'drops the empty items well', 'keep the zeros'],
];

const GOOD = /^(Nice|Great|Good|Well done|I like|Lovely|Excellent)\b/;

export const friendlyReview: SimulatedUser = {
  name: 'teacher: friendly reviews',
  taste: 'a review comment of one or two sentences: something good about it by name first, then one request',
  maxTokens: 256,
  tasks: WORKS.map(
    ([code, name, good, next]): Task => ({
      request: `Write a review comment for this code:\n${code}`,
      rewrite: `Nice work: \`${name}\` ${good}. Could you also ${next}?`,
      mentions: [name],
    }),
  ),
  satisfied: (answer, task) => {
    const text = answer.trim();
    const [first = ''] = text.split(/(?<=[.!])\s/);
    const named = task.mentions.every((name) => first.includes(name));
    return GOOD.test(text) && named && text.endsWith('?') && !text.includes('\n') && text.length <= 240;
  },
};
