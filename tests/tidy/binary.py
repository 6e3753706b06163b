"""Rules that need a build or a program: mutable globals, names of tests, clang-format."""
import collections
import json
import pathlib
import shutil
import subprocess

# Writable symbols that may be: what they are for.
MUTABLE = {
    ('base/log.c', 'level_max'): 'which lines are printed: set at start, read everywhere',
    ('engine/net/dpdk/net_stack.c', 'this_net'): 'whom lwIP means, one per copy of the stack',
    ('engine/net/dpdk/stack_memory.c', 'pools'): 'what lwIP allocates from, likewise',
}

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
    build = pathlib.Path(build).resolve()
    objects = [str(path.relative_to(build)) for folder in ('base', 'storage', 'engine')
               for path in sorted((build / folder).rglob('*.o'))]
    listings = subprocess.run(['nm', '-f', 'sysv', *objects], capture_output=True, text=True,
                              check=True, cwd=build).stdout
    expected, seen = dict(MUTABLE), set()
    # "Symbols from base/libbase.a.p/log.c.o:" heads each object's list.
    for listing in listings.split('\nSymbols from ')[1:]:
        path = pathlib.Path(listing[:listing.index('.o:')])
        source = str(path.parent.parent / path.name)
        if 'build-deps' in path.name:
            continue  # not ours
        seen.add(source)
        for symbol in writable_symbols(listing):
            name = symbol.split('.')[0]
            if (source, name) not in MUTABLE:
                yield source, 1, f'{name} is mutable'
            expected.pop((source, name), None)
    for source, name in expected:
        if source not in seen:
            continue  # not in this build
        yield source, 1, f'{name} is no longer mutable, yet is listed in MUTABLE'


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
    output = subprocess.run([program, '--dry-run', *paths], capture_output=True, text=True,
                            check=True).stderr
    places = [line.split(':')[:2] for line in output.splitlines()
              if 'code should be clang-formatted' in line]
    for path, line in {path: line for path, line in reversed(places)}.items():
        yield path, line, 'and perhaps below: not as clang-format writes it (./dev format)'
