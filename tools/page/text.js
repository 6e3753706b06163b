'use strict';
// Figures as text, and text into the page: always as text, never as markup.

const NONE = '–';
const grouped = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});

function three(value) {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1)
    : grouped.format(value);
}

function countText(count) {
  return grouped.format(count);
}

function rateText(rate) {
  return rate === 0 ? '0' : rate < 0.0995 ? rate.toPrecision(2) : three(rate);
}

const TIME_UNITS = [[1e6, 's'], [1e3, 'ms'], [1, 'µs']];

function timeText(us) {
  if (us === null) {
    return NONE;
  }
  const [factor, unit] = TIME_UNITS.find(([least]) => us >= 0.9995 * least) || [1, 'µs'];
  return `${us === 0 ? 0 : three(us / factor)} ${unit}`;
}

// For the ticks of an axis: round numbers, no digits to spare.
function timeTick(us) {
  const [factor, unit] = TIME_UNITS.find(([least]) => us >= least) || [1, 'µs'];
  return `${Number((us / factor).toPrecision(6))} ${unit}`;
}

function durationText(seconds) {
  const whole = Math.round(seconds);
  const two = number => String(number).padStart(2, '0');
  if (seconds < 0.0995) {
    return seconds === 0 ? '0 s' : timeText(1e6 * seconds);
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  if (whole < 60) {
    return `${whole} s`;
  }
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
    : `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

// What is neither none nor all is never shown as that.
function partText(part) {
  const percent = 100 * part;
  if (part > 0 && percent < 0.01) {
    return '< 0.01 %';
  }
  if (part < 1 && percent > 99.99) {
    return '> 99.99 %';
  }
  const nearer = Math.min(percent, 100 - percent);
  return `${percent.toFixed(nearer <= 0 ? 0 : nearer < 0.995 ? 2 : nearer < 9.95 ? 1 : 0)} %`;
}

// The percentile that is 1/(1-p) = x away from all, with as many digits as it needs.
function percentileText(x) {
  const digits = Math.max(1, Math.ceil(Math.log10(x) - 1e-9));
  return `${Number((100 - 100 / x).toFixed(digits))} %`;
}

function plural(count, one, more) {
  return `${countText(count)} ${count === 1 ? one : more}`;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children); // strings become text
  return node;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function key(name) {
  return html('span', {class: 'key', style: `--key: var(--${name})`});
}

// Rows of cells; the first cell of each heads it.
function table(caption, head, rows, name = '') {
  const cells = row => row.map((cell, index) => html(index ? 'td' : 'th',
    index ? {} : {scope: 'row'}, cell));
  return html('table', name ? {class: name} : {},
    ...(caption ? [html('caption', {}, caption)] : []),
    ...(head.length ? [html('thead', {}, html('tr', {},
      ...head.map(text => html('th', {scope: 'col'}, text))))] : []),
    html('tbody', {}, ...rows.map(row => html('tr', {}, ...cells(row)))));
}
