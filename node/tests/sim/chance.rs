//! Chance that a seed repeats.

/// A small generator of pseudo-random numbers, so that a seed names a run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides.max(1)
    }
}

/// Takes one from a count; returns whether there was one.
pub(crate) fn countdown(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

/// Whether a chance of one in so many comes true. Without a chance the dice are not rolled, so that
/// runs without it stay as they were.
pub(crate) fn one_in(dice: &mut Dice, many: u64) -> bool {
    many > 0 && dice.roll(many) == 0
}
