"""Rules that need a build or a program: mutable globals, names of tests, clang-format."""
import collections
import json
import pathlib
import shutil
import subprocess

# Writable symbols that may be: what they are for.
MUTABLE = {}

_WRITABLE = ('.data', '.bss', '.tdata', '.tbss', '*COM*')


def writable_symbols(listing):
    """Names of the symbols in `nm -f sysv` output that a program could change. Constant tables
    with pointers in them live in .data.rel.ro, which only the loader writes."""
    for line in listing.splitlines():
        fields = [field.strip() for field in line.split('|')]
        if len(fields) == 7 and fields[6].startswith(_WRITABLE):
            if not fields[6].startswith('.data.rel.ro'):
                yield fields[0]


def mutable_globals(build):
    """nothing is global and mutable"""
    for folder in ('base', 'storage', 'engine'):
        for path in sorted(pathlib.Path(build, folder).rglob('*.o')):
            listing = subprocess.run(['nm', '-f', 'sysv', str(path)], capture_output=True,
                                     text=True, check=True).stdout
            source = str(path.relative_to(build).parent.parent / path.name[:-2])
            for symbol in writable_symbols(listing):
                name = symbol.split('.')[0]
                if (source, name) not in MUTABLE:
                    yield source, 1, f'{name} is mutable'


def test_names(build):
    """every test has a name of its own"""
    tests = json.loads(pathlib.Path(build, 'meson-info/intro-tests.json').read_text())
    for name, count in collections.Counter(test['name'] for test in tests).items():
        if count > 1:
            yield name, 1, f'is the name of {count} tests'


def formatted(paths):
    """clang-format has nothing to change"""
    program = shutil.which('clang-format-14') or shutil.which('clang-format')
    if program is None:
        raise LookupError('clang-format is not installed')
    for path in paths:
        result = subprocess.run([program, '--dry-run', path], capture_output=True, text=True,
                                check=True)
        for line in result.stderr.splitlines():
            if 'code should be clang-formatted' in line:
                yield path, line.split(':')[1], 'not as clang-format writes it (./dev format)'
