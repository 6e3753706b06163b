"""Every call that the file medium makes of the C library is one that the simulated kernel stands in
for, or one that has nothing to do with files: a new one that nobody has thought of fails here.

  /usr/bin/python3 tests/crash/calls.py --nm nm --wrapped NAME,… LIBRARY
"""
import argparse
import re
import subprocess
import sys

# Of storage/medium; the build names objects by folder and source.
OBJECTS = ('medium_file', 'file_job', 'file_directory', 'file_lock')
# Memory, text, the process itself; pread: of the lock that another process holds.
HARMLESS = set("""__errno_location __isoc23_strtol __memcpy_chk __snprintf_chk __stack_chk_fail bcmp
calloc free getpid malloc memcmp memcpy memset mmap mmap64 munmap pread pread64 snprintf strcmp
strerror strlen strncmp strspn strtol""".split())
# Of our own, in the program's other objects or in the kernel's place.
OURS = re.compile(r'(fault|file|invariant|medium|ring|status)_\w+$')
# Of the build: sanitizers, coverage.
TOOLS = re.compile(r'__(asan|ubsan|tsan|gcov|llvm|sanitizer)_|_GLOBAL_OFFSET_TABLE_$')


def undefined(nm, library):
    """What each object of the library needs of others."""
    calls, here = {}, set()
    lines = subprocess.run([nm, '-u', library], capture_output=True, text=True, check=True).stdout
    for line in lines.splitlines():
        if line.endswith('.o:'):
            here = calls.setdefault(line.rsplit('/', 1)[-1].split('.')[0], set())
        elif line.startswith(' '):
            here.add(line.split()[-1])
    return calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--nm', default='nm')
    parser.add_argument('--wrapped', required=True)
    parser.add_argument('library')
    arguments = parser.parse_args()
    known = HARMLESS | set(arguments.wrapped.split(','))
    calls = undefined(arguments.nm, arguments.library)
    failed = False
    print(f'1..{len(OBJECTS)}')
    for number, name in enumerate(OBJECTS, 1):
        strange = sorted(call for call in calls.get(f'medium_{name}', {'nothing'}) - known
                         if not OURS.match(call) and not TOOLS.match(call))
        failed = failed or bool(strange)
        print(f'{"not " if strange else ""}ok {number} - {name}.c')
        for call in strange:
            print(f'# {call} goes to the real kernel: kernel_calls.c must know it')
    return failed


sys.exit(main())
