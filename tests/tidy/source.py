"""C sources as the style rules see them: without comments and strings, cut into functions."""
import re

_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_of(text):
    """The text with comments and literals blanked; every line keeps its number."""
    def blank(match):
        token = match[0]
        if token[0] in '"\'':
            return token[0] * 2
        return re.sub(r'[^\n]', ' ', token)
    return _TOKENS.sub(blank, text)


def functions(code):
    """(name, first line, lines) of every function. clang-format puts a function's braces, and
    theirs only, into column 0."""
    lines = code.split('\n')
    for opening, line in enumerate(lines):
        if line != '{':
            continue
        first = opening - 1
        while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in '}#{':
            first -= 1
        name = re.search(r'(\w+)\s*\(', ' '.join(lines[first:opening]))
        closing = next((i for i in range(opening, len(lines)) if lines[i] == '}'), len(lines) - 1)
        yield (name[1] if name else '?'), first + 1, closing - first + 1


def prototypes(text):
    """(name, line, explained) of every function declared in a header. One is explained by a
    comment in its paragraph up to its line or right above that paragraph, by its name in the
    opening comment, or by being what the header is about: its only function. What ends an open or
    init needs none."""
    opening = re.match(r'/\*.*?\*/', text, re.DOTALL)
    code = code_of(text).split('\n')
    lines = text.split('\n')
    depth, found = 0, []
    for number, line in enumerate(code):
        match = re.match(r'[a-z_][\w\s*]*?\b(\w+)\(', line) if depth == 0 else None
        depth += line.count('{') - line.count('}')
        if not match or line.startswith(('static ', 'typedef ', '#', 'extern "C"', 'return')):
            continue
        end = number
        while end < len(code) - 1 and not code[end].rstrip().endswith((';', '{')):
            end += 1
        above = number
        while above > 0 and lines[above - 1].strip():
            above -= 1
        paragraph = '\n'.join(lines[above:end + 1])
        explained = ('/*' in paragraph or lines[max(above - 2, 0)].endswith('*/')
                     or match[1].endswith(('_close', '_deinit'))
                     or bool(opening and re.search(rf'\b{match[1]}\b', opening[0])))
        found.append((match[1], number + 1, explained))
    if opening and len(found) == 1:
        return [(name, line, True) for name, line, _ in found]
    return found
