//! A text that is never printed.

use std::fmt;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const REDACTED: &str = "REDACTED";

/// A secret, such as a token. It prints and serializes as `REDACTED`, an empty one as nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret that is the one line of a file; space around it is none of it.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        match text.trim() {
            "" => Err("is empty: its one line is the secret".to_owned()),
            text if text.contains('\n') => {
                Err("has several lines: its one line is the secret".to_owned())
            }
            text => Ok(Self::new(text)),
        }
    }

    /// The secret that a variable has, else that of the file which the variable with `_FILE` behind its
    /// name names; an empty one where neither is set.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn of_variable(name: &str) -> Result<Self, String> {
        let file = format!("{name}_FILE");
        match (std::env::var(name), std::env::var_os(&file)) {
            (Ok(text), _) if !text.is_empty() => Ok(Self::new(text)),
            (_, Some(path)) => Self::of_file(Path::new(&path))
                .map_err(|problem| format!("{file}, {}: {problem}", Path::new(&path).display())),
            (_, None) => Ok(Self::default()),
        }
    }

    /// The text itself; not to be logged.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text` is this secret, in a time that tells nothing but the length of `text`.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let secret = self.0.as_bytes();
        let mut difference = usize::from(secret.len() != text.len() || secret.is_empty());
        for (place, byte) in text.iter().enumerate() {
            let against = secret.get(place % secret.len().max(1)).copied().unwrap_or(0);
            difference |= usize::from(std::hint::black_box(byte ^ against));
        }
        std::hint::black_box(difference) == 0
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { REDACTED }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "null"], "writeOnly": true })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A key without a value is no secret, rather than one whose text is "null".
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        if text == REDACTED {
            // A printed configuration that is used again would otherwise have a known secret.
            let problem = "REDACTED stands for a secret that was left out: write the secret itself";
            return Err(serde::de::Error::custom(problem));
        }
        Ok(Self(text))
    }
}
