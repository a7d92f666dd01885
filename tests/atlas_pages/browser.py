#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the pages that a test program writes in a headless Chromium and watches what they do.

Usage: browser.py TEST_PROGRAM

The program is run with LANCET_PAGES set to an empty folder, and writes page_0.html, page_1.html, ... there. Each page must
come up without script errors, policy violations or anything a hostile text started; then every control is used by a
script that stands in for the reader. Without a Chromium the test says SKIPPED.
"""
import html.parser
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Runs in the page after its own script. Findings are written into data attributes of the root element.
READER = r"""
(() => {
const root = document.documentElement;
const all = s => Array.from(document.querySelectorAll(s));
const failures = [];
const expect = (ok, what) => { if (!ok) failures.push(what); };
const key = (target, name) => target.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
try {
  expect(all('img, iframe, object, embed, base, form, video, audio').length === 0, 'foreign elements');
  expect(all('script').length === (document.getElementById('lancet-document') ? 3 : 2), 'scripts: ' + all('script').length);
  for (const e of all('*')) {
    for (const a of e.attributes) expect(!a.name.startsWith('on'), 'event attribute ' + a.name);
    if (e.hasAttribute('href')) expect(/^(#|data:,|[^:]*$)/.test(e.getAttribute('href')), 'link ' + e.getAttribute('href'));
    expect(!e.hasAttribute('src'), 'src');
  }
  const holder = document.getElementById('lancet-document');
  if (holder) expect(/^lancet\./.test(JSON.parse(holder.textContent).format), 'embedded document');

  const graph = document.querySelector('svg.graph');
  if (graph) {
    const within = (s, e) => Array.from(e.querySelectorAll(s)), section = graph.closest('section');
    const nodes = within('.node', graph), panel = section.querySelector('.panel');
    expect(nodes.filter(n => n.getAttribute('tabindex') === '0').length === 1, 'one tab stop in the graph');
    nodes[0].dispatchEvent(new MouseEvent('click', {bubbles: true}));
    expect(panel.textContent.includes(nodes[0].getAttribute('data-name') + ':'), 'panel: ' + panel.textContent);
    if (within('.edge', graph).length > 0) expect(within('li', panel).length > 0, 'edges in the panel');
    nodes[0].focus();
    key(nodes[0], 'ArrowLeft');
    expect(document.activeElement !== nodes[0] && document.activeElement.classList.contains('node'), 'arrow keys in the graph');
    key(document.activeElement, 'Enter');
    expect(panel.textContent.includes(document.activeElement.getAttribute('data-name')), 'Enter in the graph');
    const slider = section.querySelector('.controls input[type=range]');
    const before = nodes.filter(n => !n.classList.contains('gone')).length;
    slider.value = 60;
    slider.dispatchEvent(new Event('input'));
    const after = nodes.filter(n => !n.classList.contains('gone')).length;
    expect(after > 0 && after < before, 'threshold: ' + before + ' to ' + after);
    slider.value = 0;
    slider.dispatchEvent(new Event('input'));
    const only = section.querySelector('[data-circuit-only]');
    only.click();
    expect(nodes.every(n => n.classList.contains('gone') !== n.classList.contains('in')), 'circuit only');
    only.click();
    expect(nodes.every(n => !n.classList.contains('gone')), 'all units again');
  }
  const cell = document.querySelector('svg.heat .cell');
  if (cell) {
    cell.dispatchEvent(new MouseEvent('click', {bubbles: true}));
    expect(cell.closest('figure').querySelector('.how').textContent.startsWith(cell.querySelector('title').textContent), 'chosen cell');
  }
  const patterns = holder && JSON.parse(holder.textContent).attention || [];
  for (const a of patterns) {
    const head = document.querySelector('svg.heat .cell[data-head="' + a.layer + '.' + a.head + '"]');
    if (!head) continue;
    head.dispatchEvent(new MouseEvent('click', {bubbles: true}));
    const drawn = head.closest('figure').querySelectorAll('.look rect.pos').length;
    const there = a.pattern.flat().filter(weight => weight > 0.005).length;
    expect(drawn === there, 'attention of ' + head.getAttribute('data-head') + ': ' + drawn + ' of ' + there + ' cells drawn');
    root.setAttribute('data-patterns', Number(root.getAttribute('data-patterns')) + 1);
  }
  const table = document.querySelector('#table-effects, #table-controls, #table-entries');
  if (table) {
    const column = () => Array.from(table.querySelectorAll('tbody tr')).map(r => r.children[1]);
    const number = td => td.hasAttribute('data-v') ? Number(td.getAttribute('data-v')) : td.textContent;
    table.querySelectorAll('th')[1].click();
    const down = column().map(number);
    key(table.querySelectorAll('th')[1], 'Enter');
    const up = column().map(number);
    expect(down.every((x, i) => i === 0 || down[i - 1] >= x), 'sorted down');
    expect(up.every((x, i) => i === 0 || up[i - 1] <= x), 'sorted up');
    let saved = '';
    const make = URL.createObjectURL;
    URL.createObjectURL = blob => { blob.text().then(t => root.setAttribute('data-csv', t)); saved = blob.type; return make.call(URL, blob); };
    document.querySelector('[data-save=csv][data-table=' + table.id + ']').click();
    expect(saved === 'text/csv', 'saving CSV');
    document.querySelector('[data-save=json][data-table=' + table.id + ']').click();
    expect(saved === 'application/json', 'saving JSON');
    URL.createObjectURL = make;
  }
  const box = document.querySelector('.reveal');
  if (box) {
    const veiled = box.parentElement.querySelector('.veiled');
    expect(getComputedStyle(veiled).filter.includes('blur') && veiled.getAttribute('aria-hidden') === 'true', 'veiled');
    box.click();
    expect(getComputedStyle(veiled).filter === 'none' && veiled.getAttribute('aria-hidden') === 'false', 'revealed');
  }
} catch (error) {
  failures.push('exception: ' + error);
}
// Let started payloads run before the page is judged.
setTimeout(() => root.setAttribute('data-failures', failures.join('; ') || 'none'), 300);
})();
"""

# A phone: the page in a frame of 390 pixels, which reports by how much it is wider than that.
PHONE = r"""<!doctype html><body style="margin:0"><iframe id="phone" src="%s" style="width:390px;height:844px;border:0"></iframe>
<script>addEventListener('message', e => document.documentElement.setAttribute('data-width', String(e.data)));</script>"""
REPORT_WIDTH = "<script>setTimeout(() => parent.postMessage(document.documentElement.scrollWidth - document.documentElement.clientWidth, '*'), 200);</script>"


class Root(html.parser.HTMLParser):
    """The root element's attributes."""

    def __init__(self, text):
        super().__init__()
        self.attributes = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "html" and not self.attributes:
            self.attributes = dict(attributes)


def dump(browser, path):
    """The page after its scripts ran. A headless browser now and then hangs before it opens anything: it is started again."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom", path.as_uri()]
    for attempt in (1, 2, 3):
        try:
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=100, check=True).stdout.decode()
        except subprocess.TimeoutExpired:
            print(f"the browser hung on {path.name}, attempt {attempt} of 3", flush=True)
    raise SystemExit(f"the browser hung on {path.name} three times")


def check(browser, page, folder):
    """What is wrong with the page, in words; empty if nothing."""
    wrong = []
    text = page.read_text(encoding="utf-8")
    read = folder / ("read_" + page.name)
    read.write_text(text.replace("</body>", "<script>" + READER + "</script></body>"), encoding="utf-8")
    root = Root(dump(browser, read)).attributes
    for name, expected in (("data-lancet", "ready"), ("data-failures", "none"), ("data-script-error", None),
                           ("data-policy-violation", None), ("data-pwned", None)):
        if root.get(name) != expected:
            wrong.append(f"{name} is {root.get(name)!r}, expected {expected!r}")
    if '"attention":[{' in text and "data-patterns" not in root:
        wrong.append("no attention pattern was drawn")
    for line in root.get("data-csv", "").splitlines():
        if line[:1] in "=+-@" and line:
            wrong.append(f"the CSV has a formula: {line[:60]!r}")

    narrow, phone = folder / ("narrow_" + page.name), folder / ("phone_" + page.name)
    narrow.write_text(text.replace("</body>", REPORT_WIDTH + "</body>"), encoding="utf-8")
    phone.write_text(PHONE % narrow.name, encoding="utf-8")
    width = Root(dump(browser, phone)).attributes.get("data-width")
    if width != "0":
        wrong.append(f"on a phone of 390 pixels the page is {width} pixels too wide")
    return wrong


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("SKIPPED: no Chromium found (looked for " + ", ".join(BROWSERS) + ")")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1]], env={**os.environ, "LANCET_PAGES": name}, check=True, stdout=subprocess.DEVNULL)
        pages = sorted(folder.glob("page_*.html"))
        if not pages:
            print("the program wrote no pages")
            return 1
        failed = 0
        for page in pages:
            wrong = check(browser, page, folder)
            failed += bool(wrong)
            print(f"{page.name}: {'; '.join(wrong) or 'good'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
