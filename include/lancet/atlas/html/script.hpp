// SPDX-License-Identifier: Apache-2.0
// What a page can do beyond being read: sort and save tables, threshold and pin the circuit, copy, keyboard
// in pictures.
#pragma once

#include "lancet/atlas/html/markup.hpp"

namespace lancet::html {

namespace detail {

inline constexpr char page_script[] = R"js(
'use strict';
(() => {
const root = document.documentElement;
const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
const note = (name, text) => root.setAttribute('data-' + name, text);
window.addEventListener('error', event => note('script-error', String(event.message)));
document.addEventListener('securitypolicyviolation', event => note('policy-violation', event.violatedDirective));

// Tables: values as the reader's programs want them, not as they are shown.
const header = table => all('thead th', table).map(th => th.textContent);
const value = td => {
  if (!td.hasAttribute('data-v')) return td.textContent;
  const number = td.getAttribute('data-v');
  return number === '' ? null : Number(number);
};
const body = table => all('tbody tr', table).map(tr => all('td', tr).map(value));
const quoted = x => {
  if (x === null) return '';
  if (typeof x === 'number') return String(x);
  // A cell that begins like a formula is kept from being one.
  const safe = /^[=+\-@\t\r]/.test(x) ? "'" + x : x;
  return /[",\n\r]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
};
const csv = table => [header(table)].concat(body(table)).map(row => row.map(quoted).join(',')).join('\r\n') + '\r\n';
const json = table => {
  const names = header(table);
  return JSON.stringify(body(table).map(row => Object.fromEntries(row.map((x, i) => [names[i], x]))), null, 1) + '\n';
};
const holder = document.getElementById('lancet-document');
const reportText = () => JSON.stringify(JSON.parse(holder.textContent), null, 1) + '\n';
const save = (name, type, text) => {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  note('saved', name);
};
const copy = (button, text) => {
  const done = ok => {
    const before = button.textContent;
    button.textContent = ok ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => { button.textContent = before; }, 1600);
  };
  const byHand = () => {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    const ok = document.execCommand('copy');
    area.remove();
    done(ok);
  };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(() => done(true), byHand);
  else byHand();
};
document.addEventListener('click', event => {
  const button = event.target.closest && event.target.closest('button');
  if (!button) return;
  const what = button.getAttribute('data-save');
  const table = document.getElementById(button.getAttribute('data-table') || '');
  if (what === 'csv') save(table.id + '.csv', 'text/csv', csv(table));
  if (what === 'json') save(table.id + '.json', 'application/json', json(table));
  if (what === 'document') save('report.json', 'application/json', reportText());
  if (button.hasAttribute('data-copy')) copy(button, document.getElementById(button.getAttribute('data-copy')).textContent);
  if (button.hasAttribute('data-copy-document')) copy(button, reportText());
});

// Sorting: a click or Enter on a column's name; numbers first from large to small.
const sort = th => {
  const table = th.closest('table');
  const column = all('thead th', table).indexOf(th);
  const down = th.getAttribute('aria-sort') !== 'descending';
  all('thead th', table).forEach(other => other.removeAttribute('aria-sort'));
  th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const key = tr => value(tr.children[column]);
  const compare = (a, b) => {
    const x = key(a), y = key(b);
    if (x === null || y === null) return (y === null) - (x === null) ? ((x === null) === down ? -1 : 1) : 0;
    return x < y ? -1 : x > y ? 1 : 0;
  };
  const rows = all('tbody tr', table).sort((a, b) => down ? compare(b, a) : compare(a, b));
  const into = table.querySelector('tbody');
  rows.forEach(row => into.append(row));
};
all('table thead th').forEach(th => {
  th.tabIndex = 0;
  th.title = 'Sort by this column';
  th.addEventListener('click', () => sort(th));
  th.addEventListener('keydown', event => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    sort(th);
  });
});

// Pictures with many marks are one stop of the Tab key; arrow keys go to the nearest mark in that direction.
const place = mark => [Number(mark.getAttribute('data-x')), Number(mark.getAttribute('data-y'))];
const title = mark => mark.querySelector('title').textContent;
const roving = (svg, marks, choose) => {
  marks.forEach((mark, i) => {
    mark.setAttribute('tabindex', i === 0 ? '0' : '-1');
    mark.setAttribute('role', 'button');
    mark.setAttribute('aria-label', title(mark));
    mark.addEventListener('click', () => choose(mark));
  });
  const go = mark => {
    marks.forEach(other => other.setAttribute('tabindex', '-1'));
    mark.setAttribute('tabindex', '0');
    mark.focus();
  };
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  svg.addEventListener('keydown', event => {
    const mark = event.target.closest('[data-x]');
    if (!mark) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(mark);
      return;
    }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = place(mark);
    let best = null, least = Infinity;
    for (const other of marks) {
      if (other === mark || other.classList.contains('gone')) continue;
      const [ox, oy] = place(other);
      const along = (ox - x) * step[0] + (oy - y) * step[1];
      const aside = Math.abs((ox - x) * step[1]) + Math.abs((oy - y) * step[0]);
      const cost = along + 3 * aside;
      if (along > 0 && cost < least) { least = cost; best = other; }
    }
    if (best) go(best);
  });
};

// Where a head looks, as the document has it: rows attend to columns.
const attention = new Map((holder && JSON.parse(holder.textContent).attention || []).map(a => [a.layer + '.' + a.head, a]));
const make = (into, tag, attributes, text) => {
  const element = document.createElementNS(into.namespaceURI, tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  if (text !== undefined) element.textContent = text;
  into.append(element);
  return element;
};
const drawPattern = (svg, head) => {
  const tokens = attention.get(head).tokens || [], rows = attention.get(head).pattern || [];
  const side = 22, top = 6, size = side * tokens.length, left = 14 + 7.2 * Math.min(14, Math.max(0, ...tokens.map(t => t.length)));
  const width = left + size + 12, height = top + size + 66;
  Object.entries({width, height, viewBox: '0 0 ' + width + ' ' + height}).forEach(([name, value]) => svg.setAttribute(name, value));
  svg.replaceChildren();
  make(svg, 'title', {}, 'Attention of head ' + head + ': rows look at columns');
  make(svg, 'rect', {class: 'frame', x: left, y: top, width: size, height: size});
  tokens.forEach((token, i) => {
    const middle = side * (i + 0.5) + 4;
    make(svg, 'text', {class: 'tick', x: left - 8, y: top + middle, 'text-anchor': 'end'}, token.slice(0, 14));
    make(svg, 'text', {class: 'tick', transform: 'translate(' + (left + middle) + ' ' + (top + size + 12) + ') rotate(-45)', 'text-anchor': 'end'},
      token.slice(0, 12));
    (rows[i] || []).slice(0, tokens.length).forEach((weight, j) => {
      if (weight <= 0.005) return;
      const cell = make(svg, 'rect', {class: 'pos', 'fill-opacity': Math.min(1, weight), x: left + side * j + 0.5, y: top + side * i + 0.5,
        width: side - 1, height: side - 1});
      make(cell, 'title', {}, token + ' attends to ' + tokens[j] + ': ' + Math.round(100 * weight) + '%');
    });
  });
};

// Heat maps: the chosen cell's sentence is written under the map, and where its head looks is drawn there.
all('svg.heat').forEach(svg => {
  const line = document.createElement('p'), look = document.createElement('div');
  line.className = 'how';
  line.setAttribute('aria-live', 'polite');
  look.className = 'look';
  svg.closest('figure').append(line, look);
  const marks = all('.cell', svg);
  roving(svg, marks, mark => {
    marks.forEach(other => other.classList.toggle('chosen', other === mark));
    line.textContent = title(mark);
    look.replaceChildren();
    const head = mark.getAttribute('data-head');
    if (!head || attention.size === 0) return;
    if (!attention.has(head)) line.textContent += '. Where it looks is not in this report.';
    else drawPattern(look.appendChild(make(svg, 'svg', {class: 'heat', role: 'img'})), head);
  });
});

// The circuit: a threshold for what is shown, and a panel for the chosen unit.
all('svg.graph').forEach(svg => {
  const nodes = all('.node', svg), edges = all('.edge', svg);
  const section = svg.closest('section');
  const panel = section.querySelector('.panel'), controls = section.querySelector('.controls');
  const item = text => { const li = document.createElement('li'); li.textContent = text; return li; };
  const choose = mark => {
    const again = mark.classList.contains('chosen');
    const name = mark.getAttribute('data-name');
    nodes.forEach(node => node.classList.toggle('chosen', node === mark && !again));
    const touching = edges.filter(e => e.getAttribute('data-from') === name || e.getAttribute('data-to') === name);
    edges.forEach(e => e.classList.toggle('lit', !again && touching.includes(e)));
    svg.classList.toggle('pinned', !again && touching.length > 0);
    panel.textContent = '';
    const line = document.createElement('p');
    line.textContent = again ? 'Nothing is pinned.' : title(mark) + '.';
    panel.append(line);
    if (again || touching.length === 0) return;
    const list = document.createElement('ul');
    touching.forEach(e => list.append(item(title(e))));
    panel.append(list);
  };
  roving(svg, nodes, choose);
  const slider = controls.querySelector('input[type=range]'), only = controls.querySelector('[data-circuit-only]');
  const shown = controls.querySelector('output'), tally = controls.querySelector('.tally');
  const largest = Number(slider.getAttribute('data-largest'));
  const size = mark => Number(mark.getAttribute('data-effect'));
  const update = () => {
    // Squared, so that the many small effects have as much of the slider as the few large ones.
    const threshold = largest * (slider.value / 100) ** 2;
    const visible = new Set(['embed', 'logits']);
    nodes.forEach(node => {
      const gone = size(node) < threshold || (only.checked && !node.classList.contains('in'));
      node.classList.toggle('gone', gone);
      if (!gone) visible.add(node.getAttribute('data-name'));
    });
    let lines = 0;
    edges.forEach(e => {
      const gone = !visible.has(e.getAttribute('data-from')) || !visible.has(e.getAttribute('data-to'));
      e.classList.toggle('gone', gone);
      lines += gone ? 0 : 1;
    });
    shown.textContent = threshold.toPrecision(2);
    slider.setAttribute('aria-valuetext', threshold.toPrecision(2));
    tally.textContent = nodes.filter(n => !n.classList.contains('gone')).length + ' units' + (edges.length ? ', ' + lines + ' edges' : '') + ' shown';
    const stop = nodes.find(n => n.getAttribute('tabindex') === '0');
    if (stop && stop.classList.contains('gone')) {
      const next = nodes.find(n => !n.classList.contains('gone'));
      stop.setAttribute('tabindex', '-1');
      if (next) next.setAttribute('tabindex', '0');
    }
  };
  slider.addEventListener('input', update);
  only.addEventListener('change', update);
  update();
});

// Veiled text is hidden from screen readers as well, until it is asked for.
all('.reveal').forEach(box => {
  const veiled = box.parentElement.querySelector('.veiled');
  const update = () => veiled.setAttribute('aria-hidden', String(!box.checked));
  box.addEventListener('change', update);
  update();
});

// The section being read is marked in the list of contents.
const links = new Map(all('nav a').map(a => [a.getAttribute('href').slice(1), a]));
if ('IntersectionObserver' in window) {
  const watch = new IntersectionObserver(entries => entries.forEach(entry => {
    if (!entry.isIntersecting) return;
    links.forEach(a => a.removeAttribute('aria-current'));
    links.get(entry.target.id).setAttribute('aria-current', 'true');
  }), {rootMargin: '-10% 0px -80% 0px'});
  all('main section[id]').filter(s => links.has(s.id)).forEach(s => watch.observe(s));
}

// Folded numbers are printed unfolded only where the reader opened them; pictures always are.
root.classList.add('js');
note('lancet', 'ready');
})();
)js";

}  // namespace detail

/// The script element's text.
[[nodiscard]] inline markup script() { return markup(detail::page_script); }

}  // namespace lancet::html
