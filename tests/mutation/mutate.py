"""The mutation of the proof: each thing that the store's promises rest on is taken out of the
sources, one at a time, and the proof must notice. A proof that passes without a sync proves
nothing.

  /usr/bin/python3 tests/mutation/mutate.py [--build build/test] [NAME …]

A mutation is a few edits (mutations.py). The sources that it changes are compiled and linked before
the library they belong to, with everything else as it is, and the proof's programs run until the
first failure. Prints TAP, one check per mutation, with what caught it. --keep leaves the mutants
where a line says, to be run and looked into.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from mutations import MUTATIONS

TIME_MAX_S = 240  # of one program: a mutant that takes longer is not caught
ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {'CK_TAP_LOG_FILE_NAME': '-',
                            'FORMAT_MD': str(ROOT / 'storage/FORMAT.md')}


class Build:
    """How a plain build compiles a source and links a program."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        commands = json.loads((self.folder / 'compile_commands.json').read_text())
        self.compilers = {os.path.relpath(self.folder / command['file'], ROOT): command['command']
                          for command in commands if '/lib' in command['output']}

    def compile(self, source, mutant, output):
        words = shlex.split(self.compilers[source])
        words[words.index('-o') + 1] = str(output)
        words[words.index('-c') + 1] = str(mutant)
        for flag in ('-MD', '-MQ', '-MF'):
            at = words.index(flag)
            del words[at:at + (1 if flag == '-MD' else 2)]
        # What a mutation leaves unused is no fault of it; symbols are of no use.
        words = [word for word in words if word not in ('-Werror', '-g')] + ['-w']
        self.run(words)

    def link(self, program, objects, output):
        lines = subprocess.run(['ninja', '-C', self.folder, '-t', 'commands', '-s', program],
                               capture_output=True, text=True, check=True).stdout.splitlines()
        words = shlex.split(lines[-1])
        at = words.index('-o')
        words[at + 1:at + 2] = [str(output), *map(str, objects)]
        self.run(words)

    def run(self, words):
        result = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f'{shlex.join(words)}\n{result.stderr}')


def mutate(mutation):
    """The changed sources, by path; each edit must fit one place."""
    texts = {}
    for source, old, new in mutation.edits:
        text = texts.get(source) or (ROOT / source).read_text()
        if text.count(old) != 1:
            raise RuntimeError(f'{source} has {text.count(old)} places like: {old}')
        texts[source] = text.replace(old, new)
    return texts


def complaint(output, code):
    """What the proof says of a mutant; None: nothing."""
    for line in output.splitlines():
        if line.startswith(('# ', 'not ok')):
            return line.removeprefix('# ').split('; alone:')[0]
    return f'exit code {code}' if code else None


def examine(build, mutation, folder):
    """The first complaint of the programs that are to catch it."""
    folder.mkdir(parents=True)
    objects = []
    for source, text in mutate(mutation).items():
        mutant = folder / pathlib.Path(source).name
        mutant.write_text(text)
        objects.append(mutant.with_suffix('.o'))
        build.compile(source, mutant, objects[-1])
    for program, *arguments in mutation.proofs:
        executable = folder / pathlib.Path(program).name
        build.link(program, objects, executable)
        try:
            result = subprocess.run([executable, *arguments], capture_output=True, text=True,
                                    errors='replace', timeout=TIME_MAX_S, env=ENVIRONMENT)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f'{executable.name} was not over after {TIME_MAX_S} s') from None
        caught = complaint(result.stdout, result.returncode)
        if caught:
            return f'{executable.name}: {caught}'
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--build', default=ROOT / 'build/test')
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    build = Build(arguments.build)
    chosen = [mutation for mutation in MUTATIONS
              if not arguments.names or any(name in mutation.name for name in arguments.names)]
    folder = pathlib.Path(tempfile.mkdtemp(prefix='mutation-', dir=build.folder))
    print(f'1..{len(chosen)}', flush=True)
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(examine, build, mutation, folder / str(number))
                for number, mutation in enumerate(chosen)]
        for number, (mutation, run) in enumerate(zip(chosen, runs), 1):
            try:
                caught, why = run.result(), 'nothing has noticed'
            except (RuntimeError, KeyError) as error:
                caught, why = None, str(error)
            failed = failed or not caught
            verdict = f'ok {number} - {mutation.name}: caught' if caught else \
                f'not ok {number} - {mutation.name}: not caught'
            print(verdict)
            for line in (caught or why).splitlines():
                print('#', line, flush=True)
    if arguments.keep:
        print('# the mutants are in', folder)
    else:
        subprocess.run(['rm', '-rf', folder], check=True)
    return failed


sys.exit(main())
