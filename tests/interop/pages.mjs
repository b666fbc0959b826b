// Opens pages in headless Chromium, in light and dark, on a desktop and on a narrow phone, and says
// what is wrong with each: rules of axe, errors on the console, scripts, scrolling sideways.
//
// usage: pages.mjs FOLDER < [{"name", "url", "headers", "once"}]
// Prints one line: [{"name", "scheme", "width", "status", "title", "violations", "console",
// "scripts", "overflow", "headings"}]. A screenshot of each is kept in FOLDER. What is wanted `once` is opened
// in light on a phone alone, and no screenshot is kept.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { launch } from './browser.mjs'

const [folder] = process.argv.slice(2)
const wanted = JSON.parse(await text(process.stdin))
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await launch(['--host-resolver-rules=MAP *.example 127.0.0.1'])

// The status of the page itself is told on the console too, and is no error of the page.
const isOfStatus = message => message.text().startsWith('Failed to load resource: the server responded')

async function look (page, { name, url, headers = {}, once = false }, scheme, width) {
  const complaints = []
  const note = message => {
    if (message.type() === 'error' && !(isOfStatus(message) && message.location().url === url)) {
      complaints.push(message.text())
    }
  }
  const fail = error => complaints.push(String(error))
  page.on('console', note)
  page.on('pageerror', fail)
  await page.setExtraHTTPHeaders(headers)
  const answer = await page.goto(url, { timeout: 30_000, waitUntil: 'load' })
  const scripts = await page.evaluate(() => document.scripts.length)
  const headings = await page.evaluate(() => document.querySelectorAll('h1').length)
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  if (!once) await page.screenshot({ path: `${folder}/${name}-${scheme}-${width}.png`, fullPage: true })
  await page.evaluate(axe)
  const found = await page.evaluate(() => window.axe.run(document, {
    preload: false,
    resultTypes: ['violations'],
    rules: { 'target-size': { enabled: true } }
  }))
  const violations = found.violations.map(({ id, help, nodes }) => (
    { id, help, html: nodes.slice(0, 3).map(node => node.html) }
  ))
  page.off('console', note)
  page.off('pageerror', fail)
  return {
    name, scheme, width, status: answer ? answer.status() : 200, title: await page.title(),
    violations, console: complaints, scripts, overflow: Math.max(0, overflow), headings
  }
}

const seen = []
for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 320]) {
    const context = await browser.newContext({
      colorScheme: scheme, viewport: { width, height: width > 600 ? 900 : 640 }
    })
    const page = await context.newPage()
    for (const one of wanted) {
      if (!one.once || (scheme === 'light' && width === 320)) seen.push(await look(page, one, scheme, width))
    }
    await context.close()
  }
}
console.log(JSON.stringify(seen))
await browser.close()
