"""The style test: every rule over the whole tree, and every rule over trees made to break it.

  /usr/bin/python3 tests/tidy/tidy.py [--root DIR] [--build DIR]

Prints TAP, one check per rule, with each finding below it as `# path:line: message`. With --build
(a plain gcc build) also looks at its object files and at its list of tests.
"""
import argparse
import pathlib
import sys

import binary
import rules
import selftest

NOT_OURS = {'build', 'build-deps', 'var', '.git', '__pycache__'}
TEXT_NAMES = {'dev', 'run', 'meson.build', 'meson_options.txt'}
TEXT_SUFFIXES = {'.c', '.h', '.cc', '.py', '.html', '.css', '.js', '.md', '.1', '.service',
                 '.example'}


def read_tree(root):
    tree = {}
    for path in sorted(root.rglob('*')):
        relative = path.relative_to(root)
        if NOT_OURS.isdisjoint(relative.parts) and path.is_file():
            is_text = path.name in TEXT_NAMES or path.suffix in TEXT_SUFFIXES
            if is_text or path.stat().st_size == 0:
                tree[relative.as_posix()] = path.read_text()
    return tree


class Tap:
    def __init__(self):
        self.count = 0

    def result(self, ok, name, explanation=()):
        self.count += 1
        print(f'{"ok" if ok else "not ok"} {self.count} - {name}')
        for line in explanation:
            print('#', line)

    def rule(self, rule, subject):
        try:
            findings = [f'{path}:{line}: {text}' for path, line, text in rule(subject)]
        except LookupError as missing:
            return self.result(True, f'{rule.__doc__} # SKIP {missing}')
        return self.result(not findings, rule.__doc__, findings)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--root', type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument('--build', type=pathlib.Path)
    arguments = parser.parse_args()

    tap = Tap()
    for name, ok, explanation in selftest.cases():
        tap.result(ok, name, () if ok else (explanation,))
    tree = read_tree(arguments.root)
    for rule in rules.RULES:
        tap.rule(rule, tree)
    tap.rule(binary.formatted, [str(arguments.root / path) for path in rules.c_files(tree)])
    if arguments.build:
        tap.rule(binary.mutable_globals, arguments.build)
        tap.rule(binary.test_names, arguments.build)
    print(f'1..{tap.count}')


main()
