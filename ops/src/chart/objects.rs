//! Objects of Kubernetes, as they stand in what was rendered.

use serde_yaml::Value;

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    /// Its version, such as `apps/v1`.
    pub(super) api: String,
    /// What it is.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// All of it.
    pub(super) value: Value,
    /// The same as it was rendered: readers of YAML differ in what `off` or `0400` is.
    pub(super) text: String,
}

impl Object {
    /// How people name it.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// The value at a path of keys, if there is one.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        at(&self.value, path)
    }

    /// The text at a path of keys, or none.
    pub(super) fn text_at(&self, path: &str) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// All of it as YAML.
    pub(super) fn yaml(&self) -> String {
        serde_yaml::to_string(&self.value).expect("it was YAML")
    }

    /// The template of its pods, if it has any.
    pub(super) fn pod(&self) -> Option<&Value> {
        match self.kind.as_str() {
            "Deployment" | "StatefulSet" => self.at("spec.template"),
            "CronJob" => self.at("spec.jobTemplate.spec.template"),
            _ => None,
        }
    }
}

/// The value at a path of keys.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

/// The items of a list at a path of keys.
pub(super) fn items<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).and_then(Value::as_sequence).map_or(&[], Vec::as_slice)
}

/// The objects in a text.
///
/// # Errors
/// What is no object.
pub(super) fn split(rendered: &str) -> Result<Vec<Object>, String> {
    let mut objects = Vec::new();
    // Within an object such a line would be indented.
    for document in format!("\n{rendered}").split("\n---") {
        let value: Value = serde_yaml::from_str(document).map_err(|error| error.to_string())?;
        if value.is_null() {
            continue;
        }
        let text = |path: &str| {
            let text = at(&value, path).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("an object without {path}"))
        };
        let (api, kind, name) = (text("apiVersion")?, text("kind")?, text("metadata.name")?);
        objects.push(Object { api, kind, name, value, text: document.to_owned() });
    }
    objects.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_objects_in_order() {
        let text = "---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let objects = split(text).expect("both are objects");
        let titles: Vec<_> = objects.iter().map(Object::title).collect();
        assert_eq!(titles, ["ConfigMap a", "Service b"]);
        assert!(split("kind: Service\n").is_err());
    }
}
