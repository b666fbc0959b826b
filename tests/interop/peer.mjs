// A Helia peer that speaks bitswap over TCP on loopback and nothing else.
//
// No bootstrap list, no DHT, no delegated router, no HTTP gateway: a block can only come from a peer
// that was dialled by hand, so a passing test proves that our node sent it.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { createHeliaLight } from 'helia'

/** Starts the peer, listening on a port that the kernel chooses. */
export async function startPeer () {
  const helia = withBitswap(withLibp2pLight(createHeliaLight(), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionGater: { denyDialMultiaddr: () => false }
  }))
  await helia.start()
  return helia
}

/** The bytes that the Rust harness makes of the same seed: xorshift64*, eight bytes a step. */
export function bytesOfSeed (seed, size) {
  const out = Buffer.alloc(Math.ceil(size / 8) * 8)
  const mask = (1n << 64n) - 1n
  let state = BigInt(seed) ^ 0x9e3779b97f4a7c15n
  for (let at = 0; at < out.length; at += 8) {
    state ^= state >> 12n
    state = (state ^ (state << 25n)) & mask
    state ^= state >> 27n
    out.writeBigUInt64LE((state * 0x2545f4914f6cdd1dn) & mask, at)
  }
  return out.subarray(0, size)
}
