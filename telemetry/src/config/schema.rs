//! What a configuration may hold, as JSON Schema, from the types that read it and their comments.
//!
//! Editors complete and check files by it, and the reference of keys is made from it. The defaults are those
//! of the type itself, so that a room's default that its process changes is told as the process has it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

/// How a duration is written: the schema of fields that [`super::duration`] reads.
pub enum DurationText {}

impl JsonSchema for DurationText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "x-unit": "time" })
    }
}

/// How a number of bytes is written, such as `64MiB`: the schema of fields that are a `ByteSize`.
pub enum SizeText {}

impl JsonSchema for SizeText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "x-unit": "bytes" })
    }
}

/// The JSON Schema of a configuration. `reloaded` says of keys, such as `log.level`, whether a process takes them
/// over without a restart, each with all below it that nothing else is said of; they are marked `x-reload`.
///
/// # Panics
/// When `T` is no tree of plain values, which a configuration always is, or has no key that is `reloaded`.
#[must_use]
pub fn schema<T: JsonSchema + Serialize + Default>(
    title: &str,
    reloaded: &[(&str, bool)],
) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|one| one.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let defaults = serde_json::to_value(T::default()).expect("it is a tree of plain values");
    schema["title"] = title.into();
    lay_defaults(&mut schema, Some(&defaults));
    for (key, is_reloaded) in reloaded {
        let path: String = key.split('.').map(|part| format!("/properties/{part}")).collect();
        let found = schema.pointer_mut(&path).and_then(Value::as_object_mut);
        found.expect("it is a key").insert("x-reload".to_owned(), (*is_reloaded).into());
    }
    schema
}

/// Puts defaults to the keys that have a value, and takes them from sections, which repeat those.
fn lay_defaults(schema: &mut Value, default: Option<&Value>) {
    let Some(object) = schema.as_object_mut() else { return };
    if !object.contains_key("properties") {
        match default {
            Some(value) => object.insert("default".to_owned(), value.clone()),
            None => object.remove("default"),
        };
        return;
    }
    object.remove("default");
    let below = object.get_mut("properties").and_then(Value::as_object_mut);
    let none = Map::new();
    let values = default.and_then(Value::as_object).unwrap_or(&none);
    for (key, schema) in below.into_iter().flatten() {
        lay_defaults(schema, values.get(key));
    }
}
