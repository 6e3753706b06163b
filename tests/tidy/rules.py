"""The style rules of HACKING.md. A rule takes the tree, a dict from path to text, and yields
findings as (path, line, message); its docstring is the name of the check."""
import posixpath
import re

from source import code_of, functions, prototypes

LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# A folder and what it may include besides itself; the longest matching folder counts.
_PARTS = ('base', 'storage', 'engine/net', 'engine/http', 'engine/smtp', 'engine/pop3')
LAYERS = {
    'base': (),
    'storage': ('base',),
    'engine/net': ('base',),
    'engine/smtp': ('base',),
    'engine/pop3': ('base',),
    'engine/http': ('base',),
    'engine': _PARTS,
    'engine/load': _PARTS + ('engine',),
    'tools': _PARTS + ('engine', 'engine/load'),
    'bench': _PARTS + ('engine', 'engine/load'),
    'tests': _PARTS + ('engine', 'engine/load', 'tools', 'bench'),
}

# Sources without a mirror, each with the test that goes through it.
TESTED_BY = {
    'engine/door_metrics.c': 'tests/e2e/test_metrics.py',
    'engine/door_pop3.c': 'tests/sim/sim.c',
    'engine/door_smtp.c': 'tests/sim/sim.c',
    'engine/load/blast.c': 'tests/e2e/test_blast.py',
    'engine/load/fetcher.c': 'tests/engine/load/test_collector.c',
    'engine/net/dpdk/eal.c': 'tests/e2e/test_dpdk.py',
    'engine/net/dpdk/net_dpdk.c': 'tests/e2e/test_dpdk.py',
    'engine/net/dpdk/mtu.c': 'tests/e2e/test_dpdk.py',
    'engine/net/dpdk/port.c': 'tests/e2e/test_dpdk.py',
    'engine/net/dpdk/stack_address.c': 'tests/engine/net/test_net.c',
    'engine/net/dpdk/stack_bucket.c': 'tests/engine/net/test_net.c',
    'engine/net/dpdk/stack_connect.c': 'tests/engine/net/dpdk/test_net_stack.c',
    'engine/net/dpdk/stack_connection.c': 'tests/engine/net/dpdk/test_net_stack_bad.c',
    'engine/net/dpdk/stack_interface.c': 'tests/engine/net/dpdk/test_net_stack.c',
    'engine/net/dpdk/stack_listener.c': 'tests/engine/net/dpdk/test_net_stack.c',
    'engine/net/dpdk/stack_receive.c': 'tests/engine/net/dpdk/test_net_stack.c',
    'engine/net/dpdk/stack_send.c': 'tests/engine/net/test_net.c',
    'engine/net/dpdk/stack_timer.c': 'tests/engine/net/dpdk/test_net_stack_bad.c',
    'engine/net/sim_end.c': 'tests/engine/net/test_net.c',
    'engine/net/sim_listener.c': 'tests/engine/net/test_net.c',
    'engine/net/sim_network.c': 'tests/engine/net/test_net_sim.c',
    'engine/net/uring_connect.c': 'tests/engine/net/test_net.c',
    'engine/net/uring_connection.c': 'tests/engine/net/test_net.c',
    'engine/net/uring_listener.c': 'tests/engine/net/test_net_uring.c',
    'engine/net/uring_receive.c': 'tests/engine/net/test_net_uring.c',
    'engine/net/uring_send.c': 'tests/engine/net/test_net.c',
    'engine/tls_bio.c': 'tests/engine/test_tls.c',
    'engine/worker.c': 'tests/e2e/test_signals.py',
    'storage/index/index_rocks_none.c': 'tests/storage/test_store.c',
}

BANNED = {
    'strcpy': 'memcpy with a checked size', 'strcat': 'struct output', 'strncat': 'struct output',
    'stpcpy': 'memcpy with a checked size', 'strncpy': 'memcpy with a checked size',
    'sprintf': 'snprintf or output_print', 'vsprintf': 'vsnprintf', 'gets': 'fgets',
    'strtok': 'a span', 'strtok_r': 'a span', 'atoi': 'a checked parser',
    'atol': 'a checked parser', 'atoll': 'a checked parser', 'alloca': 'a pool',
    'rand': 'base/random.h', 'srand': 'base/random.h', 'random': 'base/random.h',
    'assert': 'INVARIANT',
}


def c_files(tree, suffixes=('.c', '.h', '.cc')):
    return {path: text for path, text in tree.items() if path.endswith(suffixes)}


def layer_of(path):
    folder = posixpath.dirname(path)
    while folder and folder not in LAYERS:
        folder = posixpath.dirname(folder)
    return folder


def includes(text):
    for number, line in enumerate(text.split('\n'), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            yield number, match[1]


def include_layers(tree):
    """a layer includes only what is below it"""
    for path, text in c_files(tree).items():
        layer = layer_of(path)
        for line, target in includes(text):
            if layer and layer_of(target) not in (layer,) + LAYERS[layer]:
                yield path, line, f'{layer} must not include "{target}"'


def rooted_includes(tree):
    """includes in quotes name a file from the root"""
    for path, text in c_files(tree).items():
        for line, target in includes(text):
            if target not in tree:
                yield path, line, f'"{target}" is not a path from the root'


def function_length(tree):
    """a function fits a screen"""
    for path, text in c_files(tree).items():
        for name, line, size in functions(code_of(text)):
            if size > FUNCTION_LINES_MAX:
                yield path, line, f'{name} has {size} lines, at most {FUNCTION_LINES_MAX}'


def file_length(tree):
    """a file is at most 500 lines"""
    for path, text in tree.items():
        if text.count('\n') > FILE_LINES_MAX and not path.endswith('.md'):
            yield path, 1, f'{text.count(chr(10))} lines, at most {FILE_LINES_MAX}'


def line_length(tree):
    """a line is at most 100 columns"""
    for path, text in tree.items():
        if not path.endswith(('.md', '.1', '.example', 'meson.build', 'meson_options.txt')):
            for number, line in enumerate(text.split('\n'), 1):
                if len(line) > LINE_COLUMNS_MAX:
                    yield path, number, f'{len(line)} columns, at most {LINE_COLUMNS_MAX}'


def white_space(tree):
    """no tabs, no blanks at a line's end, one newline at a file's"""
    for path, text in tree.items():
        for number, line in enumerate(text.split('\n'), 1):
            if '\t' in line:
                yield path, number, 'a tab'
            if line != line.rstrip():
                yield path, number, 'blanks at the end of the line'
        if text and (not text.endswith('\n') or text.endswith('\n\n')):
            yield path, text.count('\n') + 1, 'must end with one newline'


def empty_files(tree):
    """a file says something"""
    yield from ((path, 1, 'is empty') for path, text in tree.items() if not text)


def banned_calls(tree):
    """no call that overflows, guesses or hides its failure"""
    pattern = re.compile(r'(?<![\w>.])(' + '|'.join(BANNED) + r')\s*\(')
    for path, text in c_files(tree).items():
        for number, line in enumerate(code_of(text).split('\n'), 1):
            for match in pattern.finditer(line):
                yield path, number, f'{match[1]}: use {BANNED[match[1]]}'


def struct_typedefs(tree):
    """a struct is called a struct"""
    for path, text in c_files(tree, ('.c', '.h')).items():
        for number, line in enumerate(code_of(text).split('\n'), 1):
            if re.match(r'\s*typedef\s+(struct|union|enum)\b', line):
                yield path, number, 'no typedef of a struct, union or enum'


def marks(tree):
    """nothing is left for later"""
    pattern = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b')
    for path, text in tree.items():
        for number, line in enumerate(text.split('\n'), 1):
            match = pattern.search(line)
            if match:
                yield path, number, match[1]


def mirror_tests(tree):
    """every source has its test, a mirror if it can"""
    for path in c_files(tree, ('.c',)):
        if path.split('/')[0] not in ('base', 'storage', 'engine'):
            continue
        folder, name = posixpath.split(path)
        mirror = f'tests/{folder}/test_{name}'
        if path in TESTED_BY and mirror in tree:
            yield path, 1, f'has {mirror}, yet is listed in TESTED_BY'
        elif TESTED_BY.get(path, mirror) not in tree:
            yield path, 1, f'{TESTED_BY.get(path, mirror)} is missing'


def header_comments(tree):
    """a header says what it is for, and of each function what it does"""
    for path, text in c_files(tree, ('.h',)).items():
        if not text.startswith('/*'):
            yield path, 1, 'a header opens with its purpose'
        if path.split('/')[0] in ('base', 'storage', 'engine'):
            for name, line, explained in prototypes(text):
                if not explained:
                    yield path, line, f'{name} has no comment'


def man_pages(tree):
    """every subcommand has a man page"""
    yield from (('man/mailrace.1', 1, 'is missing'),) if 'man/mailrace.1' not in tree else ()
    for path, text in c_files(tree, ('.c',)).items():
        if path.startswith('tools/'):
            for name in re.findall(r'^int (\w+)_main\(', text, re.MULTILINE):
                if f'man/mailrace-{name}.1' not in tree:
                    yield path, 1, f'man/mailrace-{name}.1 is missing'


RULES = (include_layers, rooted_includes, function_length, file_length, line_length, white_space,
         empty_files, banned_calls, struct_typedefs, marks, mirror_tests, header_comments,
         man_pages)
