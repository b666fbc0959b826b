//! Exact decimals: objectives, budgets and bounds as people write them.
//!
//! A budget of 99.9 % is 0.001 and is printed so. Binary fractions would print 0.0009999999999999432,
//! and a rule that cannot be read is a rule that nobody checks.

use std::fmt;

/// Most digits behind the point that are kept.
const SCALE_MAX: u32 = 12;

/// A number with finitely many digits, at most [`SCALE_MAX`] of them behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// Reads `99.9`, `100` or `-0.5`. Nothing when it is no such number or has too many digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let short = whole.len() <= 18 && part.len() <= SCALE_MAX as usize;
        if whole.is_empty() || !short || !plain(whole) || !plain(part) {
            return None;
        }
        let digits: i128 = format!("{whole}{part}").parse().ok()?;
        let scale = u32::try_from(part.len()).ok()?;
        Some(Self { digits: sign * digits, scale }.trimmed())
    }

    /// The decimal that prints as the shortest form of a binary number does.
    pub(crate) fn of(number: f64) -> Option<Self> {
        Self::parse(&number.to_string())
    }

    /// A percentage as a ratio: 99.9 becomes 0.999.
    pub(crate) fn ratio(self) -> Self {
        Self { digits: self.digits, scale: self.scale + 2 }.trimmed()
    }

    /// What is left to one: 0.999 leaves 0.001.
    pub(crate) fn to_one(self) -> Self {
        Self { digits: 10_i128.pow(self.scale) - self.digits, scale: self.scale }.trimmed()
    }

    /// The nearest binary number.
    pub(crate) fn number(self) -> f64 {
        self.to_string().parse().expect("a decimal is a number")
    }

    fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let unit = 10_i128.pow(self.scale);
        let (whole, part) = (self.digits.abs() / unit, self.digits.abs() % unit);
        write!(f, "{sign}{whole}")?;
        if self.scale > 0 {
            write!(f, ".{part:0width$}", width = self.scale as usize)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_printed_as_people_write_it() {
        for (objective, ratio, budget) in [
            ("99.9", "0.999", "0.001"),
            ("99.95", "0.9995", "0.0005"),
            ("99.999", "0.99999", "0.00001"),
            ("95", "0.95", "0.05"),
            ("90.10", "0.901", "0.099"),
            ("100", "1", "0"),
        ] {
            let read = Decimal::of(objective.parse().expect("a number")).expect("a decimal");
            assert_eq!(read.ratio().to_string(), ratio);
            assert_eq!(read.ratio().to_one().to_string(), budget);
        }
    }

    #[test]
    fn what_is_no_finite_decimal_is_refused() {
        for bad in ["", ".", ".5", "1e3", "NaN", "inf", "1.2.3", "0.0000000000001", "--1"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        assert_eq!(Decimal::parse("-0.50").expect("a decimal").to_string(), "-0.5");
        assert_eq!(Decimal::of(f64::INFINITY), None);
    }
}
