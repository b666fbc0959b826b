// The browser of the tests: headless Chromium that asks nobody but who is tested.
import { chromium } from 'playwright-core'

export const launch = (more = []) => chromium.launch({
  executablePath: process.env.BIFROST_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
    '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage',
    ...more
  ]
})
