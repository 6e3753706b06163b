"""Makes one C source of a page and what it links to.

  embed.py PAGE.html OUTPUT.c

Style sheets and scripts that the page links to are put into it, so that what a browser shows needs
nothing else. The page is cut at @REPORT@: the halves are `blast_page_head` and `blast_page_tail`.
"""
import pathlib
import re
import sys

MARK = '@REPORT@'
COLUMNS = 20  # bytes a line


def with_links(page):
    """The page's text, each linked file in the place of its link."""
    def put_in(pattern, element, text):
        def replace(match):
            content = (page.parent / match[1]).read_text()
            if f'</{element}' in content:
                sys.exit(f'{match[1]}: would end its <{element}>')
            return f'<{element}>\n{content}</{element}>'
        return re.sub(pattern, replace, text)

    text = put_in(r'<link rel="stylesheet" href="([^"]+)">', 'style', page.read_text())
    return put_in(r'<script src="([^"]+)"></script>', 'script', text)


def c_array(name, text):
    data = text.encode()
    rows = [', '.join(map(str, data[at:at + COLUMNS])) for at in range(0, len(data), COLUMNS)]
    return (f'static const uint8_t {name}_bytes[] = {{\n' + ',\n'.join(rows) + '};\n'
            f'const struct span {name} = {{{name}_bytes, sizeof {name}_bytes}};\n')


def main():
    page, output = map(pathlib.Path, sys.argv[1:])
    halves = with_links(page).split(MARK)
    if len(halves) != 2:
        sys.exit(f'{page}: {MARK} must be there once')
    head, tail = halves
    output.write_text('#include "tools/blast_page.h"\n\n' + c_array('blast_page_head', head)
                      + c_array('blast_page_tail', tail))


main()
