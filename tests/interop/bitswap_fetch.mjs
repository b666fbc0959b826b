// Dials one peer and reads one UnixFS file from it by bitswap.
//
// usage: bitswap_fetch.mjs MULTIADDR CID
// Prints one line: {"cid", "size", "sha256", "milliseconds"}; leaves with 1 and a line on standard
// error when the file does not arrive within a minute.
import { createHash } from 'node:crypto'
import { unixfs } from '@helia/unixfs'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import { startPeer } from './peer.mjs'

const [address, text] = process.argv.slice(2)
const signal = AbortSignal.timeout(60_000)
const helia = await startPeer()
await helia.libp2p.dial(multiaddr(address), { signal })

const started = performance.now()
const hash = createHash('sha256')
let size = 0
for await (const chunk of unixfs(helia).cat(CID.parse(text), { signal })) {
  hash.update(chunk)
  size += chunk.length
}
console.log(JSON.stringify({
  cid: text,
  size,
  sha256: hash.digest('hex'),
  milliseconds: Math.round(performance.now() - started)
}))
await helia.stop()
process.exit(0)
