// Reads content through @helia/verified-fetch from one trustless HTTP endpoint, and from nothing else.
//
// usage: verified_fetch.mjs ENDPOINT < [{"url": "ipfs://CID/path", "range": "bytes=0-9"}, …]
// URLs of names, ipns://KEY/path and ipns://DOMAIN/path, are resolved through the endpoint too.
// Prints one JSON array in the same order: {"url", "status", "type", "size", "sha256"} or
// {"url", "error"}. A new peer with an empty store reads each item, so that every block of every
// item crosses the wire.
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { withHTTP } from '@helia/http'
import { createVerifiedFetchWithHelia } from '@helia/verified-fetch'
import { uriToMultiaddr } from '@multiformats/uri-to-multiaddr'
import { createHeliaLight } from 'helia'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { identity } from 'multiformats/hashes/identity'

const endpoint = process.argv[2]
const items = JSON.parse(await text(process.stdin))
const results = []
for (const item of items) {
  results.push(await read(item))
}
console.log(JSON.stringify(results))
process.exit(0)

async function read ({ url, range, accept }) {
  const helia = withHTTP(createHeliaLight({ dns: dnsThrough(endpoint) }), {
    delegatedRouters: [],
    recursiveGateways: [],
    allowInsecure: true,
    allowLocal: true
  })
  helia.addRouter(onlyProvider(endpoint))
  await helia.start()
  const verifiedFetch = await createVerifiedFetchWithHelia(helia)
  try {
    const headers = {}
    if (range != null) headers.range = range
    if (accept != null) headers.accept = accept
    const response = await verifiedFetch(url, {
      headers,
      redirect: 'follow',
      signal: AbortSignal.timeout(60_000)
    })
    const body = Buffer.from(await response.arrayBuffer())
    return {
      url,
      status: response.status,
      type: response.headers.get('content-type'),
      size: body.length,
      sha256: createHash('sha256').update(body).digest('hex')
    }
  } catch (error) {
    return { url, error: `${error.name}: ${error.message}` }
  } finally {
    await helia.stop()
  }
}

// A router that names the endpoint as the one provider of everything. Helia's own fallback router is
// asked only after another router has finished, and here there is no other.
function onlyProvider (url) {
  const transportIpfsGatewayHttp = 0x0920
  const provider = {
    id: CID.createV1(transportIpfsGatewayHttp, identity.digest(new TextEncoder().encode(url))),
    multiaddrs: [uriToMultiaddr(url)],
    protocols: ['transport-ipfs-gateway-http'],
    router: 'only-provider'
  }
  return {
    name: 'only-provider',
    async * findProviders () { yield provider },
    // The record of an IPNS name; whoever asks proves it.
    async get (key, options) {
      const prefix = '/ipns/'.length
      const name = CID.createV1(0x72, Digest.decode(key.subarray(prefix))).toString(base36)
      const answer = await fetch(`${url}/ipns/${name}?format=ipns-record`, options)
      if (!answer.ok) throw new Error(`no record of ${name}: ${answer.status}`)
      return new Uint8Array(await answer.arrayBuffer())
    }
  }
}

// A resolver of DNSLinks that asks the endpoint where a domain leads.
function dnsThrough (url) {
  return {
    async query (name) {
      const domain = name.replace(/^_dnslink\./, '')
      const answer = await fetch(`${url}/ipns/${domain}/`, { method: 'HEAD' })
      const root = answer.headers.get('x-ipfs-roots')?.split(',')[0]
      if (!answer.ok || root == null) throw new Error(`no DNSLink of ${domain}: ${answer.status}`)
      const txt = { name, type: 16, TTL: 60, data: `dnslink=/ipfs/${root}` }
      return { Status: 0, Question: [{ name, type: 16 }], Answer: [txt] }
    }
  }
}
