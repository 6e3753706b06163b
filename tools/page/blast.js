'use strict';
// The page of a load's report, out of the JSON document in it.

const report = JSON.parse(document.getElementById('report').textContent);
const {messages, settings} = report;
const PHASES = ['connect', 'banner', 'tls', 'ehlo', 'auth', 'mail', 'rcpt', 'data', 'commit',
  'total'];
const ERRORS = ['refused', 'failed', 'doubtful'];
const OUTCOMES = ['sent', 'acked', ...ERRORS];
const phases = PHASES.filter(phase => report.latency_us[phase]?.count > 0);
const total = report.latency_us.total;

function into(id, ...nodes) {
  document.getElementById(id).append(...nodes);
}

// ------------------------------------------------------------------------------ the head ----

function drawHead() {
  const {machine} = report;
  document.title = `mailrace blast ${settings.target}`;
  document.getElementById('target').textContent = settings.target;
  document.getElementById('summary').textContent = [
    settings.rate ? `open loop at ${rateText(settings.rate)}/s` : 'closed loop',
    plural(settings.connections, 'connection', 'connections'),
    plural(settings.shards, 'shard', 'shards'),
    durationText(report.seconds),
    report.time.replace('T', ' ').replace('Z', ' UTC'),
  ].join(' · ');
  into('notes', ...report.notes.map(({warning, text}) =>
    html('p', {class: warning ? 'note warning' : 'note'}, text)));
  into('footer', `Made by mailrace ${report.version} on ${machine.system} ${machine.release}, `
    + `${machine.architecture}, ${plural(machine.cpus, 'processor', 'processors')}. `, saveLink());
}

function saveLink() {
  const text = document.getElementById('report').textContent;
  return html('a', {download: 'blast.json',
    href: URL.createObjectURL(new Blob([text], {type: 'application/json'}))},
  'Save the figures as JSON');
}

function figure(name, [value, unit = ''], more, bad = false) {
  return html('dl', {class: bad ? 'figure bad' : 'figure'}, html('dt', {}, name),
    html('dd', {class: 'value'}, value, ' ', html('span', {class: 'unit'}, unit)),
    ...more.map(line => html('dd', {class: 'more'}, line)));
}

function drawHeadline() {
  const time = us => us === null ? [NONE, ''] : timeText(us).split(' ');
  const errors = ERRORS.filter(name => messages[name] > 0);
  const notAcked = ERRORS.reduce((sum, name) => sum + messages[name], 0);
  const ended = messages.acked + notAcked;
  into('headline',
    figure('Throughput', [rateText(report.rate), '/s'],
      [`${rateText(report.bytes_per_second / 1e6)} MB/s`]),
    figure('Acked', [ended ? partText(messages.acked / ended) : NONE],
      [`${countText(messages.acked)} of ${countText(ended)}`]),
    figure('Not acked', [countText(notAcked)],
      errors.length ? errors.map(name => `${countText(messages[name])} ${name}`) : ['none'],
      notAcked > 0),
    figure('Median latency', time(total.p50), [`mean ${timeText(total.mean)}`]),
    figure('99th percentile', time(total.p99),
      [`p99.9 ${timeText(total.p999)}`, `max ${timeText(total.max)}`]),
    figure('CPU per message', time(ended ? report.cpu_us_per_message : null),
      [`${durationText(report.cpu_seconds)} in all`]));
}

function drawOutcomes() {
  const row = (name, outcomes) => [name, ...OUTCOMES.map(key => countText(outcomes[key]))];
  into('outcomes', html('div', {class: 'sheet'}, table('', ['', ...OUTCOMES],
    [row('messages', messages), row('recipients', report.recipients)])));
}

// -------------------------------------------------------------------------------- time ----

function joined(before, last) {
  const both = {...last, length: before.length + last.length,
    p50_us: before.acked >= last.acked ? before.p50_us : last.p50_us,
    p99_us: Math.max(before.p99_us, last.p99_us) || null};
  for (const name of ['acked', 'bytes', ...ERRORS]) {
    both[name] = before[name] + last[name];
  }
  both.acked_per_second = both.acked / both.length;
  return both;
}

// A last step far shorter than the others would show a rate of chance: drawn as one with the step
// before.
function drawnSteps() {
  const steps = [...report.timeline];
  while (steps.length > 1 && steps.at(-1).length < steps.at(-2).length / 2) {
    steps.push(joined(...steps.splice(-2)));
  }
  return steps.filter(step => step.length > 0);
}

const steps = drawnSteps();
const lasted = steps.length ? steps.at(-1).seconds : 0;

function stepSegments(value) {
  return steps.map(step => [step.seconds - step.length, step.seconds, value(step)]);
}

function stackedErrors() {
  const rate = (step, name) => step[name] / step.length;
  return ERRORS.map((name, index) => ({name, key: name, style: 'block',
    segments: steps.map(step => [step.seconds - step.length, step.seconds, rate(step, name),
      ERRORS.slice(0, index).reduce((sum, below) => sum + rate(step, below), 0)])}));
}

function stepAt(x) {
  return steps.find(step => step.seconds >= x) || steps.at(-1);
}

function timeTable() {
  return {head: ['until', 'acked/s', 'acked', ...ERRORS, 'p50', 'p99', 'in flight'],
    rows: report.timeline.map(step => [`${step.seconds.toFixed(2)} s`,
      step.acked_per_second === null ? NONE : rateText(step.acked_per_second),
      ...['acked', ...ERRORS].map(name => countText(step[name])), timeText(step.p50_us),
      timeText(step.p99_us), countText(step.in_flight)])};
}

function timeRows(x) {
  const step = stepAt(x);
  return [
    ['acked', `${rateText(step.acked_per_second)}/s`, 'acked'],
    ...ERRORS.filter(name => step[name] > 0).map(name => [name, countText(step[name]), name]),
    ['p50', timeText(step.p50_us), 'p50'],
    ['p99', timeText(step.p99_us), 'p99'],
    ['in flight', countText(step.in_flight), 'in-flight'],
  ];
}

const timeGroup = [];

function timePlot(options) {
  const plot = new Plot({
    height: 170,
    group: timeGroup,
    heading: x => {
      const step = stepAt(x);
      return `${(step.seconds - step.length).toFixed(2)} to ${step.seconds.toFixed(2)} s`;
    },
    rows: timeRows,
    stops: () => steps.map(step => step.seconds - step.length / 2),
    ...options,
    axes: () => ({x: linearAxis(lasted, at => `${Number(at.toPrecision(6))} s`,
      {parts: 8, exact: true}), y: options.y()}),
  });
  if (options.series().length > 1) {
    plot.legend.append(...options.series().map(({name, key: colour}) =>
      html('span', {}, key(colour), name)));
  }
  return plot.figure;
}

function throughputPlot() {
  const high = Math.max(settings.rate || 0, ...steps.map(step => step.acked_per_second));
  return timePlot({
    id: 'plot-throughput', title: 'Acked, messages per second', height: 220,
    description: `Messages acked per second over ${durationText(lasted)}; `
      + `${rateText(report.rate)} on average.`,
    y: () => linearAxis(high, at => countText(at), {whole: high >= 4}),
    series: () => [{name: 'acked', key: 'acked', style: 'area',
      segments: stepSegments(step => step.acked_per_second)}],
    guide: settings.rate ? {y: settings.rate, text: `asked ${rateText(settings.rate)}/s`} : null,
    table: timeTable,
  });
}

function errorsPlot() {
  const high = Math.max(...steps.map(step =>
    ERRORS.reduce((sum, name) => sum + step[name], 0) / step.length));
  if (!(high > 0)) {
    return html('p', {class: 'quiet'}, 'No message was refused, failed or left in doubt.');
  }
  return timePlot({
    id: 'plot-errors', title: 'Not acked, messages per second',
    description: 'Messages refused, failed and left in doubt per second, one on the other.',
    y: () => linearAxis(high, at => String(Number(at.toPrecision(3)))),
    series: stackedErrors,
  });
}

function latencyOverTimePlot() {
  const times = steps.flatMap(step => [step.p50_us, step.p99_us]).filter(us => us > 0);
  if (!times.length) {
    return null;
  }
  return timePlot({
    id: 'plot-latency-time', title: 'Latency of messages acked (logarithmic)', height: 200,
    description: 'Median and 99th percentile of the latency of the messages acked in each step.',
    y: () => logAxis(Math.min(...times), Math.max(...times), timeTick),
    series: () => ['p99', 'p50'].map(name => ({name, key: name, style: 'line',
      segments: stepSegments(step => step[`${name}_us`])})),
  });
}

function inFlightPlot() {
  return timePlot({
    id: 'plot-in-flight', title: 'Messages in flight', height: 130,
    description: 'Messages begun and not ended at the end of each step.',
    y: () => linearAxis(Math.max(...steps.map(step => step.in_flight)), countText,
      {parts: 2, whole: true}),
    series: () => [{name: 'in flight', key: 'in-flight', style: 'area',
      segments: stepSegments(step => step.in_flight)}],
  });
}

function drawTime() {
  if (!steps.length) {
    into('time', html('p', {class: 'quiet'}, 'Nothing was measured over time.'));
    return;
  }
  into('time', ...[throughputPlot(), errorsPlot(), latencyOverTimePlot(), inFlightPlot()]
    .filter(plot => plot));
}

// ----------------------------------------------------------------------------- latency ----

// The curve of HdrHistogram's plots: x = 1/(1-p), so that each nine more takes as much room.
function percentileSegments(phase) {
  const {count, histogram} = report.latency_us[phase];
  let seen = 0;
  return histogram.map(([, high, here]) => {
    const from = count / (count - seen);
    seen += here;
    return [from, seen < count ? count / (count - seen) : count, high];
  });
}

const curves = Object.fromEntries(phases.map(phase => [phase, percentileSegments(phase)]));
const shown = new Set(phases.filter(phase => phase === 'total' || phase === 'commit'));
if (shown.size === 0) {
  phases.forEach(phase => shown.add(phase));
}

function percentileAxis(count) {
  const ticks = [[1, '0'], [2, '50 %']];
  for (let at = 10; at <= count * 1.001; at *= 10) {
    ticks.push([at, percentileText(at)]);
  }
  return logScale(1, Math.max(count, 10), ticks);
}

function percentileStops() {
  const most = Math.max(...[...shown].map(phase => report.latency_us[phase].count));
  const stops = [2, 4];
  for (let at = 10; at < most; at *= 10) {
    stops.push(at, ...(2 * at < most ? [2 * at] : []));
  }
  return [...stops.filter(stop => stop < most), most];
}

function valueAt(phase, x) {
  const segment = segmentAt(curves[phase], x);
  return segment ? segment[2] : null;
}

const CURVE_PERCENTILES = [2, 4, 10, 20, 100, 1000, 10000, 100000, 1000000];

function percentilePlot() {
  const most = Math.max(...phases.map(phase => report.latency_us[phase].count));
  const plot = new Plot({
    id: 'plot-percentiles', title: 'Latency by percentile (both axes logarithmic)', height: 300,
    description: 'For each percentile the latency that so many did not exceed.',
    axes: () => {
      const values = [...shown].flatMap(phase => curves[phase].map(([, , us]) => us));
      const positive = values.filter(us => us > 0);
      return {
        x: percentileAxis(Math.max(1, ...[...shown].map(phase => report.latency_us[phase].count))),
        y: positive.length ? logAxis(Math.min(...positive), Math.max(...positive), timeTick)
          : logAxis(1, 10, timeTick),
      };
    },
    series: () => [...shown].map(phase => ({name: phase, key: phase, style: 'line',
      segments: curves[phase]})),
    heading: x => `${percentileText(x)} took at most`,
    rows: x => [...shown].map(phase => [phase, timeText(valueAt(phase, x)), phase]),
    stops: percentileStops,
    table: () => ({head: ['', ...phases], rows: CURVE_PERCENTILES.filter(x => x <= most)
      .map(x => [percentileText(x), ...phases.map(phase => timeText(valueAt(phase, x)))])}),
  });
  plot.legend.append(...phases.map(phase => phaseSwitch(phase, plot)));
  return plot.figure;
}

function phaseSwitch(phase, plot) {
  const box = html('input', {type: 'checkbox', ...(shown.has(phase) ? {checked: ''} : {})});
  box.addEventListener('change', () => {
    shown[box.checked ? 'add' : 'delete'](phase);
    plot.draw(widthOf(plot.canvas));
  });
  return html('label', {}, box, html('span', {}, key(phase), phase));
}

// ------------------------------------------------------------------------ phases as bars ----

const ROW_HEIGHT = 26, BAR_LEFT = 66;

function phaseRow(phase, index, across) {
  const {count, p50, p90, p99, max} = report.latency_us[phase];
  const y = index * ROW_HEIGHT + 6, middle = y + 7;
  const text = `${phase}: p50 ${timeText(p50)}, p90 ${timeText(p90)}, p99 ${timeText(p99)}, `
    + `max ${timeText(max)}, of ${countText(count)}`;
  const bar = (name, from, to) => svg('rect', {class: name, x: across(from), y: middle - 6,
    width: Math.max(0.5, across(to) - across(from)), height: 12});
  return svg('g', {tabindex: '0', role: 'img', 'aria-label': text, 'data-phase': phase,
    style: `--key: var(--${phase})`}, svg('title', {}, text),
  svg('rect', {x: 0, y: y - 6, width: across(max) + 4, height: ROW_HEIGHT, fill: 'transparent'}),
  svg('text', {class: 'name', x: BAR_LEFT - 12, y: middle, dy: '0.35em', 'text-anchor': 'end'},
    phase),
  svg('line', {class: 'range-max', x1: across(p99), x2: across(max), y1: middle, y2: middle}),
  bar('range-90', p50, p90), bar('range-99', p90, p99),
  svg('line', {class: 'median', x1: across(p50), x2: across(p50), y1: middle - 8,
    y2: middle + 8}));
}

function drawBars(canvas, width) {
  const bottom = phases.length * ROW_HEIGHT + 6;
  const all = phases.map(phase => report.latency_us[phase]);
  const axis = logAxis(Math.max(0.01, Math.min(...all.map(({p50}) => p50))),
    Math.max(0.1, ...all.map(({max}) => max)), timeTick);
  const across = us => BAR_LEFT + axis.place(us) * (width - BAR_LEFT - MARGIN.right);
  const area = {left: BAR_LEFT, right: width - MARGIN.right, bottom};
  canvas.replaceChildren(svg('svg', {viewBox: `0 0 ${width} ${bottom + MARGIN.bottom}`,
    role: 'group', 'aria-label': 'Phases: p50, p90, p99 and maximum of each'},
  ...axis.ticks.map(([at]) => svg('line', {class: 'grid', x1: across(at), x2: across(at), y1: 0,
    y2: bottom})),
  ...drawAxes(axis, {ticks: [], low: 0}, area, across, () => 0),
  ...phases.map((phase, index) => phaseRow(phase, index, across))));
}

function barsFigure() {
  const canvas = html('div', {class: 'canvas'});
  whenResized(canvas, width => drawBars(canvas, width));
  return html('figure', {id: 'plot-phases'}, html('figcaption', {},
    html('h3', {}, 'Phases (logarithmic)'), html('div', {class: 'legend'},
      'mark: p50 · dark: to p90 · light: to p99 · line: to the slowest')), canvas);
}

function latencyTable() {
  const row = phase => {
    const {count, ...times} = report.latency_us[phase];
    return [phase, countText(count),
      ...['p50', 'p90', 'p99', 'p999', 'max', 'mean'].map(name => timeText(times[name]))];
  };
  return html('div', {class: 'sheet'}, table('', ['', 'count', 'p50', 'p90', 'p99', 'p99.9', 'max',
    'mean'], phases.map(row)));
}

function drawLatency() {
  document.getElementById('loop').textContent = settings.rate
    ? 'Open loop: messages begin by a schedule, whatever the server does, and the whole ("total") '
      + 'counts from when a message should have begun.'
    : 'Closed loop: a connection sends its next message once it is answered, so a slow server is '
      + 'also asked less. How it does under a given demand, --rate tells.';
  if (!phases.length) {
    into('latency', html('p', {class: 'quiet'}, 'Nothing was measured.'));
    return;
  }
  into('latency', percentilePlot(), barsFigure(), latencyTable());
}

// ---------------------------------------------------------------------------- the rest ----

const REPLY_CLASSES = {2: 'yes', 3: 'go on', 4: 'no, not now', 5: 'no'};

function sheet(caption, head, rows, name) {
  return html('div', {class: 'sheet'}, rows.length ? table(caption, head, rows, name)
    : table(caption, [], [['none']], 'text'));
}

function drawAnswers() {
  const {connections} = report;
  const replies = Object.entries(report.replies).map(([code, count]) =>
    [code, REPLY_CLASSES[code[0]] || '', countText(count)]);
  const sessions = [['connections that came up', connections.connected],
    ['connections that did not', connections.unconnected],
    ['ended as they should', connections.ended_well], ...Object.entries(report.failures),
    ['messages tried again', report.retries]].map(([name, count]) => [name, countText(count)]);
  document.querySelector('#answers .columns').append(sheet('Replies by code', [], replies, 'coded'),
    sheet('Sessions', [], sessions));
}

const UNITS = {duration: 's', timeout: 's', gather: 'µs'};

function settingText(name, value) {
  if (value === null || value.length === 0) {
    return NONE;
  }
  if (typeof value === 'boolean') {
    return value ? 'yes' : 'no';
  }
  const text = Array.isArray(value) ? value.join(', ') : String(value);
  return UNITS[name] ? `${text} ${UNITS[name]}` : text;
}

function drawSettings() {
  const rows = Object.entries(settings).map(([name, value]) =>
    [name === 'target' ? name : `--${name}`, settingText(name, value)]);
  const half = Math.ceil(rows.length / 2);
  document.querySelector('#settings .columns').append(sheet('', [], rows.slice(0, half), 'text'),
    sheet('', [], rows.slice(half), 'text'));
}

drawHead();
drawHeadline();
drawOutcomes();
drawTime();
drawLatency();
drawAnswers();
drawSettings();
