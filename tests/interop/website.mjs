// Opens a website with rules and a service worker in headless Chromium, as its readers would.
//
// usage: website.mjs ORIGIN SCREENSHOT.png
// Prints one line: {"title", "old", "deep", "lost", "worker", "offline", "registerOnPaths", "console"}.
import { launch } from './browser.mjs'

const [origin, screenshot, gateway] = process.argv.slice(2)
const browser = await launch()
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
const page = await context.newPage()
const console_ = []
page.on('pageerror', error => console_.push(String(error)))
const open = async path => {
  const answer = await page.goto(new URL(path, origin).href, { timeout: 30_000 })
  return { status: answer.status(), url: page.url(), text: await page.textContent('h1') }
}

const home = await open('/')
const title = await page.title()
const worker = await page.evaluate(async () => {
  const registration = await navigator.serviceWorker.register('/worker.js')
  await navigator.serviceWorker.ready
  return new URL(registration.scope).pathname
})
const old = await open('/old')
const deep = await open('/app/deep/link')
const lost = await open('/no/such/page')
// The worker answers for a page that no server has.
const offline = await open('/from-worker')
await page.screenshot({ path: screenshot })
// In the origin that all content shares, no root may take the whole of it.
await page.goto(gateway, { timeout: 30_000 })
const registerOnPaths = await page.evaluate(async () => {
  try {
    await navigator.serviceWorker.register(location.pathname)
    return 'registered'
  } catch (error) {
    return error.name
  }
})
console.log(JSON.stringify({
  title, home, old, deep, lost, worker, offline, registerOnPaths, console: console_
}))
await browser.close()
