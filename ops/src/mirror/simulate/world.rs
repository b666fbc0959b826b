//! A world of made-up pairs, with a fault or without.
//!
//! 2,000 requests a second of which one in 400 is mirrored, five pairs a second. Keys are asked for by
//! Zipf's law; a key has its own speed in both fleets, times are lognormal around it with a tail of
//! Pareto's, and load comes and goes over the day for both. Both fleets fail together on what peers do
//! not have, and each fails now and then by itself, one request at a time: there are no outages. Where a
//! scenario says so, each is slow now and then by itself as well, for a minute, as a machine with a noisy
//! neighbour is.

use std::f64::consts::TAU;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::scenario::Scenario;
use crate::mirror::observed::{Cache, Class, Compared, Lane, NO_BUILD, Observed, hashed};
use crate::statistics::number;

/// Milliseconds from one pair to the next.
const STEP_MS: u64 = 200;
/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;
/// Keys that there are.
const KEYS: f64 = 200_000.0;
/// Speeds of keys that there are: a power of two.
const SPEEDS: usize = 1 << 14;
/// The share of bodies that are large.
const LARGE: f64 = 0.1;
/// What large bodies and small ones have in bytes.
const BYTES: [u64; 2] = [4 << 20, 16 << 10];
/// The share of answers that can be verified.
pub(super) const VERIFIABLE: f64 = 0.85;
/// The share of pairs that come from different caches: staging's are colder.
const APART: f64 = 0.08;
/// The share of requests that neither fleet can answer, and that of each alone.
const FAILING: (f64, f64) = (0.003, 0.000_05);
/// The share of times that are of the tail.
const TAIL: f64 = 0.02;
/// How far load moves times over the day, as a logarithm.
const LOAD: f64 = 0.15;

/// How long a slow spell lasts on average, and how many times slower it is.
const SPELL: (f64, f64) = (60_000.0, 1.5);

/// A cache: its share, the logarithm of its times in microseconds, and how they vary from key to key and
/// from request to request.
struct Speed {
    cache: Cache,
    share: f64,
    us: f64,
    keys: f64,
    requests: f64,
}

const CACHES: [Speed; 3] = [
    Speed { cache: Cache::Hit, share: 0.6, us: 300.0, keys: 0.2, requests: 0.3 },
    Speed { cache: Cache::Pool, share: 0.3, us: 4_000.0, keys: 0.3, requests: 0.4 },
    Speed { cache: Cache::Network, share: 0.1, us: 600_000.0, keys: 0.7, requests: 0.9 },
];

/// The pairs of one run.
#[derive(Debug)]
pub(super) struct World {
    random: SmallRng,
    scenario: Scenario,
    speeds: Vec<f64>,
    at_ms: u64,
    /// Whether production is in a slow spell, and staging.
    slow: [bool; 2],
}

impl World {
    /// The world of a seed.
    pub(super) fn new(seed: u64, scenario: Scenario) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let speeds = (0..SPEEDS / 2).flat_map(|_| normals(&mut random)).collect();
        Self { random, scenario, speeds, at_ms: 0, slow: [false; 2] }
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random::<f64>() < share
    }

    /// Has slow spells begin and end.
    fn spells(&mut self) {
        let ends = number(STEP_MS) / SPELL.0;
        let begins = ends * self.scenario.spells / (1.0 - self.scenario.spells);
        for fleet in 0..self.slow.len() {
            let turns = if self.slow[fleet] { ends } else { begins };
            self.slow[fleet] ^= self.chance(turns);
        }
    }

    /// The next pair.
    pub(super) fn pair(&mut self) -> Observed {
        self.at_ms += STEP_MS;
        self.spells();
        // Of Zipf's law with exponent 1, the logarithm of the rank is uniform.
        let key = KEYS.powf(self.random.random::<f64>()) as u64;
        let cache = {
            let at: f64 = self.random.random();
            let place = usize::from(at >= CACHES[0].share)
                + usize::from(at >= CACHES[0].share + CACHES[1].share);
            &CACHES[place]
        };
        let is_large = self.chance(LARGE);
        let class = if self.chance(VERIFIABLE) { Class::Verifiable } else { Class::Rendered };
        let good = if self.chance(FAILING.0) {
            (false, false)
        } else {
            (!self.chance(FAILING.1), !self.chance(FAILING.1 + self.scenario.errors))
        };
        let differs = class == Class::Verifiable
            && (self.chance(self.scenario.flips) | self.chance(self.scenario.headers));
        let compared = match good {
            (true, true) if differs => Compared::Different,
            (true, true) => Compared::Same,
            (_, false) | (false, true) => Compared::Rates,
        };
        let first_us = self.times(cache, key);
        let whole = if is_large { self.times(cache, key) } else { (0, 0) };
        Observed {
            at_ms: self.at_ms,
            key,
            lane: Lane::Staging,
            class,
            compared,
            differences: 0,
            form: 0,
            failure: None,
            good,
            retried: false,
            unasked: 0,
            cache: (!self.chance(APART)).then_some(cache.cache),
            bytes: BYTES[usize::from(!is_large)],
            first_us,
            total_us: (first_us.0 + whole.0, first_us.1 + whole.1),
            build: NO_BUILD,
            gateway: 0,
        }
    }

    /// Production's time and staging's.
    fn times(&mut self, speed: &Speed, key: u64) -> (u32, u32) {
        let [production, staging] = normals(&mut self.random);
        let own = self.speeds[hashed_place(key)] * speed.keys;
        let load = LOAD * (TAU * number(self.at_ms) / DAY_MS).sin();
        let spell = self.slow.map(|slow| if slow { SPELL.1 } else { 1.0 });
        let slower = spell[1] * (1.0 + self.scenario.slower);
        let mut time = |noise: f64, slower: f64| {
            let tail =
                if self.chance(TAIL) { 1.0 / self.random.random::<f64>().sqrt() } else { 1.0 };
            let us = speed.us * (own + load + speed.requests * noise).exp() * tail * slower;
            us.min(1e9) as u32
        };
        (time(production, spell[0]), time(staging, slower))
    }
}

/// The place of a key among the speeds that there are.
fn hashed_place(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (SPEEDS - 1)
}

/// Two normal values (Box and Muller, 1958).
fn normals(random: &mut SmallRng) -> [f64; 2] {
    let radius = (-2.0 * (-random.random::<f64>()).ln_1p()).sqrt();
    let (sin, cos) = (TAU * random.random::<f64>()).sin_cos();
    [radius * sin, radius * cos]
}

/// The seed of a run: the same whichever thread has it.
pub(super) fn seed(seed: u64, scenario: &str, run: usize) -> u64 {
    hashed((seed, scenario, run))
}
