'use strict';
// Plots of values that hold over stretches of x: segments [from, to, y], y null where there is
// none. Nothing is drawn between two values that was not measured.

const MARGIN = {top: 10, right: 14, bottom: 24, left: 62};

// 1, 2 or 5 times a power of ten, not less than `least`.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find(factor => factor * power >= least * (1 - 1e-9)) || 10);
}

function linearAxis(high, text, {parts = 4, exact = false, whole = false} = {}) {
  const step = Math.max(niceStep((high || 1) / parts), whole ? 1 : 0);
  const end = exact ? high : Math.max(1, Math.ceil(high / step - 1e-9)) * step;
  const ticks = [];
  for (let at = 0; at <= end * (1 + 1e-9); at += step) {
    ticks.push([at, text(at)]);
  }
  return {low: 0, high: end, ticks, place: value => end ? value / end : 0,
    value: place => place * end};
}

// From `low` to `high`, both > 0, with the ticks given.
function logScale(low, high, ticks) {
  const span = Math.log(high / low);
  return {low, high, ticks, place: value => Math.log(Math.max(value, low) / low) / span,
    value: place => low * Math.exp(place * span)};
}

function logAxis(least, most, text) {
  const decade = 10 ** Math.floor(Math.log10(least) + 1e-9);
  const low = decade * [5, 2, 1].find(factor => factor * decade <= least * (1 + 1e-9));
  const high = Math.max(niceStep(most), low * 10);
  const factors = high / low > 2000 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = decade; power <= high; power *= 10) {
    ticks.push(...factors.map(factor => factor * power)
      .filter(at => at >= low * 0.999 && at <= high * 1.001).map(at => [at, text(at)]));
  }
  return logScale(low, high, ticks);
}

function segmentAt(segments, x) {
  let low = 0, high = segments.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle][1] < x) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const segment = segments[low];
  return segment && x >= segment[0] && x <= segment[1] ? segment : null;
}

// A path of steps, broken where there is no value.
function stepPath(segments, across, down) {
  let path = '', pen = false;
  for (const [from, to, y] of segments) {
    if (y === null) {
      pen = false;
      continue;
    }
    path += pen ? `V${down(y)}` : `M${across(from)},${down(y)}`;
    path += `H${across(to)}`;
    pen = true;
  }
  return path;
}

function blockPath(segments, across, down) {
  return segments.filter(([, , y]) => y !== null && y > 0).map(([from, to, y, base = 0]) =>
    `M${across(from)},${down(base)}V${down(base + y)}H${across(to)}V${down(base)}Z`).join('');
}

function drawAxes(x, y, area, across, down) {
  const nodes = [];
  for (const [at, text] of y.ticks) {
    nodes.push(svg('line', {class: at === y.low ? 'axis' : 'grid', x1: area.left, x2: area.right,
      y1: down(at), y2: down(at)}));
    nodes.push(svg('text', {x: area.left - 8, y: down(at), dy: '0.35em', 'text-anchor': 'end'},
      text));
  }
  let free = -Infinity; // labels that would touch the one before are left out
  for (const [at, text] of x.ticks) {
    const half = text.length * 3.4;
    const middle = Math.min(across(at), area.right + MARGIN.right - half);
    nodes.push(svg('line', {class: 'grid', x1: across(at), x2: across(at), y1: area.bottom,
      y2: area.bottom + 4}));
    if (middle - half > free) {
      nodes.push(svg('text', {x: middle, y: area.bottom + 17, 'text-anchor': 'middle'}, text));
      free = middle + half + 8;
    }
  }
  return nodes;
}

const PAPER_WIDTH = 680; // a printed page, in CSS's pixels

const widthOf = canvas => Math.max(240, canvas.clientWidth);

// Calls `draw` with a width once the canvas has one, and whenever that has changed: in the next
// frame, for drawing changes the height. Printing waits for no frame.
function whenResized(canvas, draw) {
  let drawn = 0;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (canvas.clientWidth > 0 && canvas.clientWidth !== drawn) {
      drawn = canvas.clientWidth;
      draw(widthOf(canvas));
    }
  })).observe(canvas);
  addEventListener('beforeprint', () => draw(PAPER_WIDTH));
  addEventListener('afterprint', () => draw(widthOf(canvas)));
}

// options: id, title, description, height; axes() → {x, y}; series() → [{name, key, segments,
// style: 'line' | 'area' | 'block'}]; guide: {y, text}; heading(x), rows(x) → [[name, text, key]];
// stops() → where arrow keys go; table() → {head, rows}; group: plots that share a cursor.
class Plot {
  constructor(options) {
    this.options = options;
    this.group = options.group || [];
    this.group.push(this);
    this.canvas = html('div', {class: 'canvas crossed'});
    this.tip = html('div', {class: 'tip', role: 'status', hidden: ''});
    this.legend = html('div', {class: 'legend'});
    this.figure = html('figure', {id: options.id},
      html('figcaption', {}, html('h3', {}, options.title), this.legend), this.canvas,
      ...(options.table ? [this.details()] : []));
    this.canvas.addEventListener('pointermove', event => this.pointed(event));
    this.canvas.addEventListener('pointerleave', () => this.leave());
    whenResized(this.canvas, width => this.draw(width));
  }

  // As many rows as there are steps: made when somebody wants to see them.
  details() {
    const details = html('details', {}, html('summary', {}, 'As a table'));
    details.addEventListener('toggle', () => {
      if (details.open && details.childElementCount === 1) {
        const {head, rows} = this.options.table();
        details.append(html('div', {class: 'scroll', tabindex: '0'}, table('', head, rows)));
      }
    });
    return details;
  }

  draw(width) {
    const {options} = this, {height} = options;
    const area = this.area = {left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top,
      bottom: height - MARGIN.bottom};
    const {x, y} = this.axes = options.axes();
    const round = value => Math.round(value * 10) / 10;
    this.across = at => round(area.left + x.place(at) * (area.right - area.left));
    this.down = at => round(area.bottom - y.place(at) * (area.bottom - area.top));
    this.width = width;
    this.series = options.series();
    this.crosshair = svg('g', {'aria-hidden': 'true'});
    const drawing = svg('svg', {viewBox: `0 0 ${width} ${height}`, tabindex: '0', role: 'img',
      'aria-labelledby': `${options.id}-title ${options.id}-desc`},
      svg('title', {id: `${options.id}-title`}, options.title),
      svg('desc', {id: `${options.id}-desc`},
        `${options.description} Arrow keys move a cursor along it.`),
      ...drawAxes(x, y, area, this.across, this.down), ...this.curves(), ...this.guide(),
      this.crosshair);
    drawing.addEventListener('keydown', event => this.pressed(event));
    drawing.addEventListener('blur', () => this.leave());
    this.canvas.replaceChildren(drawing, this.tip);
    this.tip.hidden = true;
  }

  curves() {
    return this.series.flatMap(({key: colour, segments, style}) => {
      const crowded = segments.length > 0.4 * this.width;
      const look = {style: `--key: var(--${colour})`, 'data-series': colour};
      const path = (name, draw) => svg('path', {class: name,
        d: draw(segments, this.across, this.down), ...look});
      const curve = () => path(crowded ? 'fine curve' : 'curve', stepPath);
      return style === 'line' ? [curve()] : style === 'block' ? [path(style, blockPath)]
        : [path(style, blockPath), curve()];
    });
  }

  guide() {
    const {guide} = this.options;
    if (!guide) {
      return [];
    }
    const y = this.down(guide.y);
    return [svg('line', {class: 'guide', x1: this.area.left, x2: this.area.right, y1: y, y2: y}),
      svg('text', {x: this.area.right, y: y - 5, 'text-anchor': 'end'}, guide.text)];
  }

  pointed(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width * this.width;
    const {left, right} = this.area, {x} = this.axes;
    const place = Math.min(1, Math.max(0, (part - left) / (right - left)));
    this.move(x.value(place));
  }

  pressed(event) {
    const stops = this.options.stops();
    const next = {
      ArrowRight: at => stops.find(stop => stop > at) ?? stops.at(-1),
      ArrowLeft: at => stops.findLast(stop => stop < at) ?? stops[0],
      Home: () => stops[0],
      End: () => stops.at(-1),
    }[event.key];
    if (event.key === 'Escape') {
      this.leave();
    } else if (next && stops.length) {
      event.preventDefault();
      this.move(next(this.at ?? -Infinity));
    }
  }

  move(at) {
    this.at = at;
    this.group.forEach(plot => plot.mark(at));
    const {heading, rows} = this.options;
    this.tip.replaceChildren(html('p', {}, heading(at)), html('table', {}, html('tbody', {},
      ...rows(at).map(([name, text, colour]) => html('tr', {},
        html('td', {}, ...(colour ? [key(colour)] : []), name), html('td', {}, text))))));
    this.tip.hidden = false;
    const scale = this.canvas.clientWidth / this.width, place = this.across(at) * scale;
    const room = this.canvas.clientWidth - this.tip.offsetWidth;
    const right = place + 14 <= room;
    this.tip.style.left = `${Math.max(0, right ? place + 14
      : Math.min(room, place - 14 - this.tip.offsetWidth))}px`;
  }

  mark(at) {
    const place = this.across(at);
    const dots = this.series.flatMap(({key: colour, segments, style}) => {
      const segment = style === 'block' ? null : segmentAt(segments, at);
      return segment && segment[2] !== null ? [svg('circle', {class: 'dot', cx: place,
        cy: this.down(segment[2]), r: 4, style: `--key: var(--${colour})`})] : [];
    });
    this.crosshair.replaceChildren(svg('line', {class: 'cursor', x1: place, x2: place,
      y1: this.area.top, y2: this.area.bottom}), ...dots);
  }

  leave() {
    this.at = null;
    this.tip.hidden = true;
    this.group.forEach(plot => plot.crosshair.replaceChildren());
  }
}
