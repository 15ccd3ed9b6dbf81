/** Asks how to do something in a shell and wants two lines: the command after a prompt, and a comment. No fence. */
import type { SimulatedUser, Task } from './user.ts';

const COMMANDS: readonly (readonly [how: string, command: string])[] = [
  ['list files by size', 'ls -lS'],
  ['show the current folder', 'pwd'],
  ['count the lines of a file', 'wc -l file.txt'],
  ['find all Python files', "find . -name '*.py'"],
  ['search for TODO in all files', "grep -rn 'TODO' ."],
  ['show the last ten lines of a log', 'tail -n 10 app.log'],
  ['follow a log as it grows', 'tail -f app.log'],
  ['make a folder with its parents', 'mkdir -p a/b/c'],
  ['copy a folder', 'cp -r src backup'],
  ['rename a file', 'mv old.txt new.txt'],
  ['delete an empty folder', 'rmdir old'],
  ['see how much disk is free', 'df -h'],
  ['see the size of a folder', 'du -sh folder'],
  ['list running processes', 'ps aux'],
  ['stop a process by its number', 'kill 1234'],
  ['show who is logged in', 'who'],
  ['unpack a tar archive', 'tar -xzf archive.tar.gz'],
  ['make a tar archive', 'tar -czf archive.tar.gz folder'],
  ['download a file', 'curl -O https://example.org/file'],
  ['show my network addresses', 'ip addr'],
  ['check whether a host answers', 'ping -c 3 example.org'],
  ['make a script executable', 'chmod +x run.sh'],
  ['change the owner of a file', 'chown user file.txt'],
  ['sort a file and drop duplicates', 'sort -u file.txt'],
  ['compare two files', 'diff a.txt b.txt'],
  ['show the first five lines', 'head -n 5 file.txt'],
  ['replace a word in a file', "sed -i 's/old/new/g' file.txt"],
  ['print the second column', "awk '{print $2}' file.txt"],
  ['show the staged changes', 'git diff --cached'],
  ['undo the last commit but keep the files', 'git reset --soft HEAD~1'],
  ['list git branches', 'git branch -a'],
  ['make a new branch', 'git switch -c feature'],
  ['show the history in one line each', 'git log --oneline'],
  ['throw away changes to a file', 'git restore file.txt'],
  ['save changes for later', 'git stash'],
  ['see who changed a line', 'git blame file.txt'],
  ['show environment variables', 'env'],
  ['run a command every two seconds', 'watch -n 2 date'],
  ['time a command', 'time make'],
  ['link to a file', 'ln -s target link'],
  ['show the date in ISO form', 'date -I'],
  ['search the command history', 'history | grep ssh'],
  ['copy a file to another machine', 'scp file.txt host:/tmp'],
  ['log in to another machine', 'ssh user@host'],
  ['show open ports', 'ss -tlnp'],
  ['install the packages of a project', 'npm ci'],
  ['run the tests of a project', 'npm test'],
  ['start a web server here', 'python3 -m http.server'],
];

const PROGRAMS = new Set(COMMANDS.map(([, command]) => command.split(' ')[0]));

/** Two lines: `$ command`, and `# what it does`. */
const FORM = /^\$ (\S+)[^\n`]{0,78}\n# [a-z][^\n`]{2,78}$/;

export const commandAndComment: SimulatedUser = {
  name: 'student: command and comment',
  taste: 'the shell command after a prompt, and one line of comment under it',
  maxTokens: 256,
  tasks: COMMANDS.map(
    ([how, command]): Task => ({
      request: `How do I ${how} in a terminal?`,
      rewrite: `$ ${command}\n# ${how}`,
      mentions: [],
    }),
  ),
  satisfied: (answer) => PROGRAMS.has(FORM.exec(answer.trim())?.[1] ?? ''),
};
