"""The page of `blast --html`, looked at by a browser: it draws what the JSON has, complains of
nothing, keeps text as text, and can be read by day, by night and on a narrow screen."""
import html.parser
import json
import os
import pathlib
import shutil
import struct
import subprocess
import unittest
import zlib

from cases import FolderCase, ServerCase
from mailrace import free_port, run

BROWSER = shutil.which('chromium')
MESSAGES = 500
MARKUP = '<img src=x onerror=alert(1)>'  # in a file's name
PLOTS = ('plot-throughput', 'plot-latency-time', 'plot-in-flight', 'plot-percentiles',
         'plot-phases')

# Once the page is drawn: keys move a cursor; switches draw other curves. What came of it is told to
# the document around.
PROBE = '''<script>setTimeout(function probe() {
  const page = document.documentElement, plot = document.querySelector('#plot-percentiles');
  if (!plot.querySelector('svg')) {
    setTimeout(probe, 100);
    return;
  }
  const press = key => plot.querySelector('svg').dispatchEvent(new KeyboardEvent('keydown', {key}));
  const tip = () => {
    const box = plot.querySelector('.tip');
    return box.hidden ? 'hidden' : box.textContent;
  };
  const told = {width: page.clientWidth, overflow: page.scrollWidth - page.clientWidth};
  ['Home', 'ArrowRight', 'End', 'Escape'].forEach(key => {
    press(key);
    told[key.toLowerCase()] = tip();
  });
  plot.querySelector('input').click();
  told.curves = plot.querySelectorAll('path.curve').length;
  plot.querySelector('details').open = true;
  setTimeout(() => {
    told.rows = plot.querySelectorAll('details tr').length;
    parent.postMessage(told, '*');
  }, 100);
}, 300);</script></body>'''

FRAME = '''<!doctype html><style>body { margin: 0 } iframe { border: 0 }</style>
<iframe src="probed.html" width="%d" height="900"></iframe>
<script>addEventListener('message', event => Object.entries(event.data).forEach(([name, value]) =>
  document.documentElement.setAttribute(`data-${name}`, value)));</script>'''


class Page(html.parser.HTMLParser):
    """The document as the browser had it in the end."""
    VOID = {'meta', 'link', 'input', 'br', 'img'}

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        element = {'tag': tag, 'text': '', 'inside': [e.get('id') for e in self.open if 'id' in e],
                   **dict(attrs)}
        self.elements.append(element)
        if tag not in self.VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()['tag'] != tag:
            pass

    def handle_data(self, data):
        for element in self.open:
            element['text'] += data

    def all(self, tag, within=None, **attributes):
        return [element for element in self.elements if element['tag'] == tag
                and (within is None or within in element['inside'])
                and all(element.get(name) == value for name, value in attributes.items())]

    def text(self, name):
        return next(element['text'] for element in self.elements if element.get('id') == name)

    def rows(self, within):
        """The tables of a section: by its first cell, the others of each row."""
        rows = {}
        for element in self.elements:
            if within in element['inside'] and element['tag'] in ('th', 'td'):
                if element['tag'] == 'th' and element.get('scope') == 'row':
                    cells = rows.setdefault(element['text'], [])
                elif element['tag'] == 'td':
                    cells.append(element['text'])
        return rows


def pixels(path):
    """A PNG of eight bits a channel as its width and its rows of bytes (ISO/IEC 15948)."""
    data, at, packed = pathlib.Path(path).read_bytes(), 8, b''
    while at < len(data):
        size, kind = struct.unpack_from('>I4s', data, at)
        chunk = data[at + 8:at + 8 + size]
        if kind == b'IHDR':
            width, height, depth, colour = struct.unpack_from('>IIBB', chunk)
        packed += chunk if kind == b'IDAT' else b''
        at += size + 12
    channels = {2: 3, 6: 4}[colour]
    stride, raw, above, rows = width * channels, zlib.decompress(packed), None, []
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1:start + 1 + stride])
        unfilter(raw[start], line, above, channels)
        rows.append(bytes(line))
        above = line
    assert depth == 8
    return channels, rows


def unfilter(kind, line, above, channels):
    for i in range(len(line) if kind else 0):
        left = line[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        up = above[i]
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        line[i] = line[i] + (left, up, (left + up) // 2, paeth)[kind - 1] & 255


def time_text(us):
    """As the page writes times."""
    factor, unit = next((row for row in ((1e6, 's'), (1e3, 'ms')) if us >= 0.9995 * row[0]),
                        (1, 'µs'))
    value = us / factor
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f'{value:,.{digits}f} {unit}'


@unittest.skipUnless(BROWSER, 'chromium is not installed')
class BrowserCase(FolderCase):
    def browse(self, path, *flags, width=1200, height=1600):
        """What the browser says on both streams; it must not complain."""
        command = [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
                   '--disable-dev-shm-usage', '--enable-logging=stderr',
                   '--virtual-time-budget=10000', f'--user-data-dir={self.folder}/browser',
                   f'--window-size={width},{height}', *flags, pathlib.Path(path).as_uri()]
        environment = {**os.environ, 'HOME': self.folder}
        result = subprocess.run(command, capture_output=True, text=True, timeout=120,
                                errors='replace', env=environment, stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        complaints = [line for line in result.stderr.splitlines() if 'CONSOLE' in line]
        self.assertEqual(complaints, [])
        return result

    def document(self, path, **keywords):
        return Page(self.browse(path, '--dump-dom', **keywords).stdout)

    def probed(self, path, width):
        """What PROBE told of the page, so wide: a browser's window can't be narrow."""
        text = pathlib.Path(path).read_text(encoding='utf-8')
        self.assertEqual(text.count('</body>'), 1)
        frame = pathlib.Path(self.folder, 'frame.html')
        frame.with_name('probed.html').write_text(text.replace('</body>', PROBE), encoding='utf-8')
        frame.write_text(FRAME % width, encoding='utf-8')
        root = self.document(frame).all('html')[0]
        return {name.removeprefix('data-'): text for name, text in root.items()}

    def picture(self, path, *flags, **keywords):
        """(mean brightness from 0 to 255, how many colours)"""
        picture = os.path.join(self.folder, 'picture.png')
        self.browse(path, f'--screenshot={picture}', *flags, **keywords)
        channels, rows = pixels(picture)
        colours = {row[i:i + 3] for row in rows for i in range(0, len(row), channels)}
        total = sum(sum(row[i::channels]) for row in rows for i in range(3))
        return total / sum(len(row) // channels * 3 for row in rows), len(colours)


class Pages(BrowserCase, ServerCase):
    def load(self, *flags):
        path, figures = (os.path.join(self.folder, name) for name in ('page.html', 'a.json'))
        ledger = os.path.join(self.folder, MARKUP)
        result = run('blast', f'smtp://127.0.0.1:{self.server.smtp_port}', '--messages', MESSAGES,
                     '--connections', 5, '--html', path, '--json', figures, '--ledger', ledger,
                     *flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        return path, json.loads(pathlib.Path(figures).read_text(encoding='utf-8'))

    def test_draws_the_figures(self):
        path, figures = self.load('--rate', 2000)
        page = self.document(path)
        for plot in PLOTS:
            self.assertTrue(page.all('svg', within=plot), plot)
        for plot in PLOTS[:-1]:
            drawn = [path['d'] for path in page.all('path', within=plot)
                     if 'curve' in path['class'].split()]
            self.assertTrue(drawn and all(d.startswith('M') for d in drawn), plot)
            self.assertTrue(page.all('title', within=plot)[0]['text'], plot)
            self.assertTrue(page.all('desc', within=plot)[0]['text'], plot)
        outcomes = page.rows('outcomes')
        self.assertEqual(outcomes['messages'], [str(MESSAGES), str(MESSAGES), '0', '0', '0'])
        latency = page.rows('latency')
        happened = {name: phase for name, phase in figures['latency_us'].items() if phase['count']}
        self.assertLessEqual({'connect', 'mail', 'commit', 'total'}, set(happened))
        for name, phase in happened.items():
            times = [time_text(phase[key]) for key in ('p50', 'p90', 'p99', 'p999', 'max', 'mean')]
            self.assertEqual(latency[name], [str(phase['count']), *times])
            self.assertTrue(page.all('g', within='plot-phases', **{'data-phase': name}), name)
        self.assertIn(f'{figures["replies"]["250"]:,}', page.rows('answers')['250'])
        self.assertIn('asked 2,000/s', page.text('plot-throughput'))
        self.assertEqual(page.rows('settings')['--rate'], ['2000'])
        for note in figures['notes']:
            self.assertIn(note['text'], page.text('notes'))

    def test_text_stays_text(self):
        page = self.document(self.load()[0])
        self.assertIn(MARKUP, page.rows('settings')['--ledger'][0])
        self.assertFalse(page.all('img'))

    def test_by_day_and_by_night(self):
        path, _ = self.load()
        day, day_colours = self.picture(path, width=600, height=500)
        night, night_colours = self.picture(path, '--blink-settings=preferredColorScheme=0',
                                            width=600, height=500)
        self.assertGreater(day, 200)
        self.assertLess(night, 70)
        self.assertGreater(min(day_colours, night_colours), 50, 'blank')

    def test_keys_and_switches(self):
        told = self.probed(self.load()[0], 900)
        self.assertIn('50 % took at most', told['home'])
        self.assertIn('75 % took at most', told['arrowright'])
        self.assertIn('99.8 % took at most', told['end'])
        self.assertEqual(told['escape'], 'hidden')
        self.assertEqual(told['curves'], '3')  # commit, total and the first
        self.assertGreater(int(told['rows']), 4)

    def test_nothing_sticks_out(self):
        path, _ = self.load()
        for width in (320, 400, 1200):
            told = self.probed(path, width)
            self.assertEqual((told['width'], told['overflow']), (str(width), '0'))

    def test_prints(self):
        path, _ = self.load()
        paper = os.path.join(self.folder, 'paper.pdf')
        self.browse(path, f'--print-to-pdf={paper}')
        self.assertGreater(os.path.getsize(paper), 20000)


class Nothing(BrowserCase):
    def test_a_load_of_no_message(self):
        path = os.path.join(self.folder, 'page.html')
        result = run('blast', f'smtp://127.0.0.1:{free_port()}', '--messages', 1,
                     '--connections', 1, '--html', path)
        self.assertEqual(result.returncode, 69, result.stderr)
        page = self.document(path)
        self.assertEqual(page.rows('outcomes')['messages'], ['0'] * 5)
        self.assertIn('Nothing was measured', page.text('latency'))
        self.assertIn('gave up', page.text('notes'))
        self.assertFalse(page.all('path', within='latency'))
        self.assertFalse(page.all('figure', within='latency'))
