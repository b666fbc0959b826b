//! One override: a path of keys and a value, from a variable or a flag.
//!
//! Variables are upper case and separate keys by a double underscore, so that keys keep their single
//! ones and the variables that other programs set under our prefix are not taken for ours.

use serde_yaml::{Mapping, Value};

use super::ConfigError;

const PREFIX: &str = "BIFROST_";

/// A value to be laid over the file.
pub(super) struct Override {
    /// The variable or flag, as its writer knows it.
    pub(super) origin: String,
    keys: Vec<String>,
    value: String,
}

impl Override {
    /// The override of a variable; none when the variable is not ours.
    pub(super) fn variable(name: &str, value: &str) -> Option<Self> {
        let path = name.strip_prefix(PREFIX)?;
        if !path.contains("__") {
            return None;
        }
        let keys = path.split("__").map(str::to_ascii_lowercase).collect();
        Some(Self { origin: format!("variable {name}"), keys, value: value.to_owned() })
    }

    /// The override of `section.key=value`.
    pub(super) fn flag(text: &str) -> Result<Self, ConfigError> {
        let Some((path, value)) = text.split_once('=') else {
            return Err(ConfigError::Override {
                origin: format!("--set {text}"),
                problem: "is not of the form section.key=value".to_owned(),
            });
        };
        let keys = path.trim().split('.').map(str::to_owned).collect();
        Ok(Self { origin: format!("--set {path}"), keys, value: value.to_owned() })
    }

    /// What the value may mean, the likelier first: a text such as `s3cret #1` or `0x1F` says
    /// something else as YAML, and which is meant only its key can tell.
    pub(super) fn readings(&self) -> Result<Vec<Value>, ConfigError> {
        let text = self.value.trim();
        let plain = !text.starts_with(['"', '\'', '[', '{', '|', '>', '&', '!']);
        let value: Value = match serde_yaml::from_str(&self.value) {
            Ok(value) => value,
            Err(_) if plain => Value::String(text.to_owned()),
            Err(error) => return Err(self.refused(format!("its value is no YAML: {error}"))),
        };
        let same = serde_yaml::to_string(&value).is_ok_and(|again| again.trim() == text);
        if !plain || same || value.is_mapping() || value.is_sequence() {
            return Ok(vec![value]);
        }
        Ok(vec![Value::String(text.to_owned()), value])
    }

    fn refused(&self, problem: String) -> ConfigError {
        ConfigError::Override { origin: self.origin.clone(), problem }
    }

    /// Puts a value into the tree, making the sections on its way.
    pub(super) fn lay(&self, value: Value, tree: &mut Value) -> Result<(), ConfigError> {
        if self.keys.iter().any(String::is_empty) {
            return Err(self.refused("has an empty key in its path".to_owned()));
        }
        let mut place = tree;
        for key in &self.keys {
            if place.is_null() {
                *place = Value::Mapping(Mapping::new());
            }
            let Some(mapping) = place.as_mapping_mut() else {
                let problem = format!("{key} would be a key of something that has none");
                return Err(self.refused(problem));
            };
            place = mapping.entry(Value::String(key.clone())).or_insert(Value::Null);
        }
        *place = value;
        Ok(())
    }
}
