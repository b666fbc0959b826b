// Opens the project's site in headless Chromium as its readers would: with a script and without, from a
// server and from disk.
//
// usage: site.mjs SERVER-URL [FILE-URL]
// Prints one line: for "server", and "disk" if it is asked for, {"found", "none", "opened", "without", "first_paint_ms",
// "console"}:
// what a search finds and what it does not, what is there without a script, and how soon a page is seen.
import { launch } from './browser.mjs'

const [server, disk] = process.argv.slice(2)
const browser = await launch()

async function look (base) {
  const at = path => new URL(path, base).href
  const complaints = []
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(at('search.html'))
  const search = async words => {
    await page.fill('#words', words)
    return {
      count: await page.textContent('#count'),
      first: await page.evaluate(() => document.querySelector('#found a')?.getAttribute('href') ?? null)
    }
  }
  const found = {}
  for (const words of ['disk full', 'the disk is full', 'NodeDiskFull', 'the', 'polic']) found[words] = await search(words)
  const none = await search('nowhereatall')
  await search('disk full')
  await page.click('#found a')
  await page.waitForURL('**/runbooks/*.html')
  const opened = await page.title()
  const paints = []
  for (let turn = 0; turn < 5; turn++) {
    await page.goto(at('index.html'), { waitUntil: 'load' })
    paints.push(await page.evaluate(() => new Promise(resolve => {
      new PerformanceObserver(list => {
        const first = list.getEntriesByName('first-contentful-paint')[0]
        if (first) resolve(first.startTime)
      }).observe({ type: 'paint', buffered: true })
    })))
  }
  await context.close()

  const bare = await browser.newContext({ javaScriptEnabled: false })
  const plain = await bare.newPage()
  await plain.goto(at('search.html'))
  const isHidden = !(await plain.isVisible('#search'))
  await plain.click('main a[href="a-z.html"]')
  await plain.waitForURL('**/a-z.html')
  const letters = await plain.locator('.letters a').count()
  await plain.click('header a[href="status.html"]')
  await plain.waitForURL('**/status.html')
  const without = { isHidden, letters, heading: await plain.textContent('h1') }
  await bare.close()
  paints.sort((one, other) => one - other)
  return { found, none, opened, without, first_paint_ms: paints[2], console: complaints }
}

console.log(JSON.stringify({ server: await look(server), disk: disk && await look(disk) }))
await browser.close()
