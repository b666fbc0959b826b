//! A setting of another gateway and its fate here; what was said of one becomes a row.

use serde::Serialize;
use serde_json::Value;

use super::draft::Draft;
use super::way::Way;

/// A setting as it is documented, and what becomes of it. A row also stands for what is below its name, unless that
/// has a row of its own.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its name there.
    pub(super) name: &'static str,
    /// What becomes of it.
    pub(super) fate: Fate,
    /// What an operator has to know.
    pub(super) note: &'static str,
    /// What it has where nobody sets it, if that matters here.
    pub(super) implied: Option<&'static str>,
    /// The same where that is said and not taken over, with what it is here.
    pub(super) told: Option<(&'static str, &'static str)>,
    /// Values that change nothing here.
    pub(super) harmless: &'static [&'static str],
    /// Whether its value is never shown.
    pub(super) secret: bool,
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It sets these keys, as `gateway server.listen`, and means the same.
    Same(&'static [&'static str], Way),
    /// It sets these keys, and means something else.
    Differs(&'static [&'static str], Way),
    /// There is nothing like it.
    Unsupported,
    /// There is nothing that it would be of use for.
    Unneeded,
    /// It is the node's private key.
    Identity,
    /// It is one of several lists of hosts that are read together.
    Domains,
}

/// A setting that means the same.
pub(super) const fn same(
    name: &'static str,
    keys: &'static [&'static str],
    way: Way,
    note: &'static str,
) -> Setting {
    of(name, Fate::Same(keys, way), note)
}

/// A setting that means something else.
pub(super) const fn differs(
    name: &'static str,
    keys: &'static [&'static str],
    way: Way,
    note: &'static str,
) -> Setting {
    of(name, Fate::Differs(keys, way), note)
}

/// A setting with nothing like it here.
pub(super) const fn unsupported(name: &'static str, note: &'static str) -> Setting {
    of(name, Fate::Unsupported, note)
}

/// A setting that is of no use here.
pub(super) const fn unneeded(name: &'static str, note: &'static str) -> Setting {
    of(name, Fate::Unneeded, note)
}

/// A setting.
pub(super) const fn of(name: &'static str, fate: Fate, note: &'static str) -> Setting {
    Setting { name, fate, note, implied: None, told: None, harmless: &[], secret: false }
}

impl Setting {
    /// The same where a default of theirs matters.
    pub(super) const fn or(mut self, implied: &'static str) -> Self {
        self.implied = Some(implied);
        self
    }

    /// The same where a default of theirs is not ours, and ours stays.
    pub(super) const fn told(mut self, theirs: &'static str, ours: &'static str) -> Self {
        self.told = Some((theirs, ours));
        self
    }

    /// The same where some values change nothing.
    pub(super) const fn unless(mut self, harmless: &'static [&'static str]) -> Self {
        self.harmless = harmless;
        self
    }

    /// The same where the value is secret.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// What was said of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Said {
    /// It means the same.
    Same,
    /// It means something else.
    Differs,
    /// It is of no use here.
    Unneeded,
    /// It is not supported, or a part of it is not.
    Unsupported,
    /// No table knows it.
    Unknown,
    /// Its value cannot be read.
    Invalid,
}

impl Said {
    /// Whether something that was set is lost.
    pub(super) fn is_lost(self) -> bool {
        match self {
            Said::Unsupported | Said::Unknown | Said::Invalid => true,
            Said::Same | Said::Differs | Said::Unneeded => false,
        }
    }

    /// The word for it; what means the same needs none.
    pub(super) fn word(self) -> &'static str {
        match self {
            Said::Same => "same",
            Said::Differs => "differs",
            Said::Unneeded => "unneeded",
            Said::Unsupported => "UNSUPPORTED",
            Said::Unknown => "UNKNOWN",
            Said::Invalid => "INVALID",
        }
    }
}

/// A row of the table that is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    /// The setting, as it was named.
    pub(super) setting: String,
    /// What it had.
    pub(super) theirs: String,
    /// The keys that it sets.
    pub(super) ours: String,
    /// What became of it.
    #[serde(rename = "verdict")]
    pub(super) said: Said,
    /// What an operator has to know.
    pub(super) note: String,
}

/// The row that a name stands in: its own, or that of the nearest name above it.
pub(super) fn find<'a>(settings: &'a [Setting], name: &str) -> Option<&'a Setting> {
    let above = |setting: &&Setting| {
        let rest = name.strip_prefix(setting.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    settings.iter().filter(above).max_by_key(|setting| setting.name.len())
}

/// Puts one setting into the draft, and says so. `is_set` is whether somebody set it.
pub(super) fn apply(
    setting: &Setting,
    name: &str,
    value: &Value,
    is_set: bool,
    draft: &mut Draft,
) -> Vec<Row> {
    let shown = shown(value, setting.secret);
    let theirs = if is_set { shown } else { format!("{shown} (its default)") };
    let row = |ours: String, said: Said, note: &str| Row {
        setting: name.to_owned(),
        theirs: theirs.clone(),
        ours,
        said,
        note: note.to_owned(),
    };
    if setting.harmless.contains(&&*plain(value)) {
        return vec![row(String::new(), Said::Same, "as it is here")];
    }
    let (keys, way, said) = match setting.fate {
        Fate::Unsupported => return vec![row(String::new(), Said::Unsupported, setting.note)],
        Fate::Unneeded => return vec![row(String::new(), Said::Unneeded, setting.note)],
        // The caller has the key, and the lists.
        Fate::Identity | Fate::Domains => return Vec::new(),
        Fate::Same(keys, way) => (keys, way, Said::Same),
        Fate::Differs(keys, way) => (keys, way, Said::Differs),
    };
    let taken = match way.take(value) {
        Ok(taken) => taken,
        Err(why) => return vec![row(keys.join(", "), Said::Invalid, &why)],
    };
    let is_any = !taken.values.is_empty();
    for value in &taken.values {
        for key in keys {
            draft.set(key, value.clone(), name);
        }
    }
    let mut rows = Vec::new();
    if is_any || taken.left.is_empty() {
        let ours: Vec<&str> = keys.iter().map(|key| key.trim_end_matches("[]")).collect();
        rows.push(row(ours.join(", "), said, setting.note));
    }
    rows.extend(taken.otherwise.iter().map(|why| row(String::new(), Said::Differs, why)));
    rows.extend(taken.left.iter().map(|why| row(String::new(), Said::Unsupported, why)));
    rows
}

/// The row of a setting that nobody set and whose default is another one here.
pub(super) fn told(setting: &Setting) -> Option<Row> {
    let (theirs, note) = setting.told?;
    let keys = match setting.fate {
        Fate::Same(keys, _) | Fate::Differs(keys, _) => keys,
        Fate::Unsupported | Fate::Unneeded | Fate::Identity | Fate::Domains => &[],
    };
    Some(Row {
        setting: setting.name.to_owned(),
        theirs: format!("{theirs} (its default)"),
        ours: keys.join(", "),
        said: Said::Differs,
        note: note.to_owned(),
    })
}

/// A value as text without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as it is printed: short, and without what nobody else shall read.
pub(super) fn shown(value: &Value, secret: bool) -> String {
    if secret {
        return "(a secret)".to_owned();
    }
    let mut text = plain(value);
    // Credentials in URLs are secrets too.
    let mut from = 0;
    while let Some(at) = text[from..].find("://").map(|at| from + at + 3) {
        let end = text[at..].find(['/', ',', '"', ' ']).map_or(text.len(), |end| at + end);
        if let Some(host) = text[at..end].rfind('@') {
            text.replace_range(at..at + host, "…");
        }
        from = at;
    }
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
