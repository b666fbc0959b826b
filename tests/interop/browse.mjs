// Opens a page in headless Chromium, follows its first links and keeps a screenshot.
//
// usage: browse.mjs URL SCREENSHOT.png [LINKS]
// Prints one line: {"title", "status", "links", "visited", "console", "failed", "responses"}. Only
// links under the page's own folder are followed, each in the same tab and back, as a reader would.
import { launch } from './browser.mjs'

const [url, screenshot, follow = '0'] = process.argv.slice(2)
const browser = await launch()
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
const seen = { console: [], failed: [], responses: {} }
page.on('console', message => {
  if (message.type() === 'error') seen.console.push(message.text())
})
page.on('pageerror', error => seen.console.push(String(error)))
page.on('requestfailed', request => {
  seen.failed.push(`${request.url()} ${request.failure()?.errorText}`)
})
page.on('response', response => {
  seen.responses[response.status()] = (seen.responses[response.status()] ?? 0) + 1
})

// Leaving a page cancels what it still loads, which would count as failed: all of it is awaited.
const whole = { timeout: 30_000, waitUntil: 'networkidle' }
const open = address => page.goto(address, whole)

const first = await open(url)
const title = await page.title()
const links = await page.$$eval('a[href]', found => found.map(a => ({
  text: a.textContent.trim(),
  href: a.href
})))
await page.screenshot({ path: screenshot })

const visited = []
const inside = links.filter(({ href }) => href.startsWith(url) && href !== url)
for (const { href } of inside.slice(0, Number(follow))) {
  const answer = await open(href)
  visited.push({ href, status: answer?.status() ?? 0, title: await page.title() })
  await page.goBack(whole)
}
console.log(JSON.stringify({ title, status: first.status(), links, visited, ...seen }))
await browser.close()
