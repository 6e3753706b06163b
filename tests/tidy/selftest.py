"""Small bad trees fed to each rule: one that catches nothing proves nothing."""
import binary
import rules

GUARDED = '/* A header. */\n'
LONG_FUNCTION = 'void f(void)\n{\n' + '    g();\n' * 70 + '}\n'
FITTING_FUNCTION = 'void f(void)\n{\n' + '    g();\n' * 67 + '}\n'

# (rule, what it is about, tree, lines of the findings expected)
CASES = (
    (rules.include_layers, 'base includes storage',
     {'base/a.c': '#include "storage/store.h"\n'}, [1]),
    (rules.include_layers, 'two neighbours include each other',
     {'engine/smtp/a.c': '\n#include "engine/net/net.h"\n',
      'storage/b.c': '#include "engine/smtp/server.h"\n'}, [2, 1]),
    (rules.include_layers, 'a part includes what joins the parts',
     {'engine/pop3/a.c': '#include "engine/shard.h"\n'}, [1]),
    (rules.include_layers, 'the right includes the left',
     {'engine/worker.c': '#include "storage/store.h"\n#include "engine/net/net.h"\n',
      'tools/serve.c': '#include "engine/service.h"\n',
      'tests/storage/test_a.c': '#include "storage/store.h"\n'}, []),
    (rules.rooted_includes, 'an include relative to its file',
     {'base/a.c': '#include "a.h"\n', 'base/a.h': ''}, [1]),
    (rules.function_length, 'a function of 73 lines', {'base/a.c': LONG_FUNCTION}, [1]),
    (rules.function_length, 'a function of 70 lines', {'base/a.c': FITTING_FUNCTION}, []),
    (rules.file_length, 'a file of 501 lines', {'base/a.c': '\n' * 501}, [1]),
    (rules.file_length, 'a file of 500 lines', {'base/a.c': '\n' * 500}, []),
    (rules.line_length, 'a line of 101 columns', {'base/a.c': '\n' + 'x' * 101 + '\n'}, [2]),
    (rules.line_length, 'columns are not bytes', {'base/a.c': '…' * 100 + '\n'}, []),
    (rules.white_space, 'a tab, a blank and no newline', {'base/a.c': 'a\tb\nc \nd'}, [1, 2, 3]),
    (rules.empty_files, 'a forgotten file', {'READ-THIS-FIRST': ''}, [1]),
    (rules.banned_calls, 'strcpy', {'base/a.c': 'void f(void)\n{\n    strcpy(a, b);\n}\n'}, [3]),
    (rules.banned_calls, 'not in comments, strings, longer names and members',
     {'base/a.c': '/* gets( */ char *s = "atoi(1)"; my_strcpy(a); pool->gets(b);\n'}, []),
    (rules.struct_typedefs, 'a typedef', {'base/a.h': 'typedef struct a a;\n'}, [1]),
    (rules.struct_typedefs, 'a function type', {'base/a.h': 'typedef void f(struct a *a);\n'}, []),
    (rules.marks, 'a mark in a comment', {'base/a.c': '/* TO' 'DO: later */\n'}, [1]),
    (rules.mirror_tests, 'a source without its test', {'storage/a.c': ''}, [1]),
    (rules.mirror_tests, 'a source with its test',
     {'storage/a.c': '', 'tests/storage/test_a.c': ''}, []),
    (rules.mirror_tests, 'a source tested by another, with and without it',
     {'engine/worker.c': '', 'engine/door_smtp.c': '', 'tests/e2e/test_signals.py': ''}, [1]),
    (rules.mirror_tests, 'a source with a mirror that claims to have none',
     {'engine/worker.c': '', 'tests/e2e/test_signals.py': '',
      'tests/engine/test_worker.c': ''}, [1]),
    (rules.header_comments, 'no purpose', {'tests/a.h': '#ifndef A\n'}, [1]),
    (rules.header_comments, 'functions that nothing explains',
     {'base/a.h': GUARDED + '#define A\n\nint a_open(void);\n\nint a_run(void);\n'}, [4, 6]),
    (rules.header_comments, 'functions explained in each of the ways',
     {'base/a.h': '/* See a_run. */\n\nint a_run(void);\n\n/* Opens. */\nint a_open(void);\n'
                  'void a_close(\n    int a);\n\nint a_size(void); /* bytes */\n'}, []),
    (rules.man_pages, 'a subcommand without its page',
     {'man/mailrace.1': '', 'tools/serve.c': 'int serve_main(int argc)\n'}, [1]),
    (rules.man_pages, 'no page at all', {}, [1]),
)

NM_LISTING = '''
counter             |0000000000000000|   b  |            OBJECT|0000000000000004|     |.bss
table               |0000000000000000|   d  |            OBJECT|0000000000000010|     |.data.rel.ro
name                |0000000000000000|   r  |            OBJECT|0000000000000010|     |.rodata
last_error          |0000000000000000|   b  |               TLS|0000000000000004|     |.tbss
run                 |0000000000000000|   T  |              FUNC|0000000000000010|     |.text
'''


def cases():
    """(name, whether the rule did as expected, what it found instead)"""
    for rule, about, tree, expected in CASES:
        found = [line for _, line, _ in rule(tree)]
        yield f'{rule.__name__}: {about}', found == expected, f'lines {found}, not {expected}'
    for rule in rules.RULES:
        tried = any(case[0] is rule and case[3] for case in CASES)
        yield f'{rule.__name__} is shown something bad', tried, 'no case of it has findings'
    symbols = list(binary.writable_symbols(NM_LISTING))
    yield 'mutable_globals: .bss and .tbss', symbols == ['counter', 'last_error'], str(symbols)
