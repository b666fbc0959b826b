"use strict";
// Finds pages by the beginnings of their words, in PAGES, WORDS and COMMON of search-index.js. Nothing is sent.
const STEPS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SHOWN_MAX = 30;

// [word, numbers of pages], in the order of words.
const words = [];
for (let parts = WORDS.split(" "), last = "", at = 0; at + 1 < parts.length; at += 2) {
  last = last.slice(0, STEPS.indexOf(parts[at][0])) + parts[at].slice(1);
  const pages = [];
  let page = 0;
  for (const step of parts[at + 1]) {
    page += step === "~" ? STEPS.length : STEPS.indexOf(step);
    if (step !== "~") pages.push(page);
  }
  words.push([last, pages]);
}

const split = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 1);
// A name such as NodeDiskFull is found by each of its words too.
const apart = (name) => `${name} ${name.replace(/(\p{Ll})(?=\p{Lu})/gu, "$1 ")}`;
const titles = PAGES.map(([, title, summary, headings]) => ({
  title: split(apart(title)), summary: split(summary), headings: headings.map(([, text]) => split(text)),
}));

// How well each page answers one term; titles count most, whole words more than beginnings.
const scores = (term) => {
  const found = new Map();
  const add = (page, score) => found.set(page, Math.max(found.get(page) ?? 0, score));
  for (const [word, pages] of words) {
    if (word.startsWith(term)) for (const page of pages) add(page, word === term ? 2 : 1);
  }
  titles.forEach(({ title, summary, headings }, page) => {
    const has = (list) => list.includes(term) ? 2 : list.some((word) => word.startsWith(term)) ? 1 : 0;
    if (has(summary)) add(page, 2 + has(summary));
    for (const heading of headings) if (has(heading)) add(page, 3 + has(heading));
    if (has(title)) add(page, 6 + 2 * has(title));
  });
  return found;
};

// Which pages have a word of most pages is not known, so that none is left out for the lack of it; it tells little.
const common = COMMON.split(" ");
const isCommon = (term) => common.some((word) => word.startsWith(term));
const COMMON_WEIGHT = 0.1;

const search = (text) => {
  const terms = split(text);
  const each = terms.map(scores);
  const weights = terms.map((term) => isCommon(term) ? COMMON_WEIGHT : 1);
  const sum = (page) => each.reduce((total, one, at) => total + weights[at] * (one.get(page) ?? 0), 0);
  const needed = each.filter((_, at) => weights[at] === 1);
  const known = [...new Set(each.flatMap((one) => [...one.keys()]))];
  const pages = known.filter((page) => needed.every((one) => one.has(page)));
  return pages.map((page) => [page, sum(page)]).sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .map(([page]) => [page, PAGES[page][3].filter((_, at) =>
      terms.some((term) => titles[page].headings[at].some((word) => word.startsWith(term))))]);
};

const link = (path, text) => {
  const element = document.createElement("a");
  element.href = path;
  element.textContent = text;
  return element;
};

const [box, field, count, list] = ["search", "words", "count", "found"].map((id) => document.getElementById(id));
const show = () => {
  const found = search(field.value);
  count.textContent = !field.value.trim() ? "" : found.length === 1 ? "1 page" : `${found.length || "No"} pages`;
  list.replaceChildren(...found.slice(0, SHOWN_MAX).map(([page, headings]) => {
    const [path, title, summary] = PAGES[page];
    const item = document.createElement("li");
    item.append(link(path, title), document.createElement("br"), summary);
    for (const [id, text] of headings.slice(0, 3)) item.append(" · ", link(`${path}#${id}`, text));
    return item;
  }));
};
box.hidden = false;
field.value = new URLSearchParams(location.search).get("q") ?? "";
field.addEventListener("input", show);
field.focus();
show();
