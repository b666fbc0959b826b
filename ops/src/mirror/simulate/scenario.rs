//! What is wrong with a made-up release.

use std::str::FromStr;

/// A fault, or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scenario {
    /// What it is called.
    pub(crate) name: String,
    /// How much slower staging is, as a share.
    pub(crate) slower: f64,
    /// The share of requests that fail in staging on top.
    pub(crate) errors: f64,
    /// The share of answers of which a byte is wrong.
    pub(crate) flips: f64,
    /// The share of answers that lack a header.
    pub(crate) headers: f64,
    /// The share of time in which a fleet is slow by itself: no fault, since either fleet has such spells.
    pub(crate) spells: f64,
}

impl Scenario {
    /// Those that are tried unless told otherwise.
    pub(crate) fn built_in() -> Vec<Self> {
        let none = Self::default();
        vec![
            Self { name: "a/a".to_owned(), ..none.clone() },
            Self { name: "a/a, slow spells".to_owned(), spells: 0.05, ..none.clone() },
            Self { name: "a byte in 10^5 answers".to_owned(), flips: 1e-5, ..none.clone() },
            Self { name: "a header of 1 in 1000".to_owned(), headers: 1e-3, ..none.clone() },
            Self { name: "5 % slower".to_owned(), slower: 0.05, ..none.clone() },
            Self { name: "0.1 % more errors".to_owned(), errors: 1e-3, ..none },
        ]
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_sound(&self) -> bool {
        [self.slower, self.errors, self.flips, self.headers].iter().all(|fault| *fault <= 0.0)
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut scenario = Self { name: text.to_owned(), ..Self::default() };
        for term in text.split(',') {
            let (name, value) = term.split_once('=').ok_or_else(|| {
                format!("`{term}` is not one of slower=, errors=, flips=, headers= or spells= and a share")
            })?;
            let value: f64 = value.parse().map_err(|_| format!("`{value}` is not a number"))?;
            let most = match name {
                "slower" => 100.0,
                "spells" => 0.5,
                _ => 1.0,
            };
            if !(0.0..=most).contains(&value) {
                return Err(format!("{name}={value} is not a share from 0 to {most}"));
            }
            match name {
                "slower" => scenario.slower = value,
                "errors" => scenario.errors = value,
                "flips" => scenario.flips = value,
                "headers" => scenario.headers = value,
                "spells" => scenario.spells = value,
                other => {
                    return Err(format!(
                        "`{other}` is not slower, errors, flips, headers or spells"
                    ));
                }
            }
        }
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_terms() {
        let scenario: Scenario = "slower=0.03,errors=0.0005".parse().expect("both are faults");
        assert_eq!((scenario.slower, scenario.errors), (0.03, 0.0005));
        assert!(!scenario.is_sound());
        assert!("spells=0.1".parse::<Scenario>().expect("it is no fault").is_sound());
        for wrong in [
            "",
            "slower",
            "slower=x",
            "errors=2",
            "faster=1",
            "flips=-1",
            "flips=NaN",
            "spells=0.6",
        ] {
            assert!(wrong.parse::<Scenario>().is_err(), "{wrong}");
        }
    }
}
