//! The public page: only what may be public, and how old it is.

use super::*;

fn dictionary() -> Dictionary {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Dictionary::load(&root, &mut Vec::new()).expect("the project has a dictionary")
}

fn measured(name: &str) -> Measured {
    let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let points = vec![(1_799_600_000.0, 0.5), (1_799_999_940.0, 1.0)];
    let shown = vec![Shown { name: name.to_owned(), points }];
    let dictionary = dictionary();
    let values = dictionary.numbers.iter().map(|one| (one.id.clone(), shown.clone()));
    let newest = Some(1_799_999_940.0);
    Measured { at: Some(at), newest, values: values.collect() }
}

#[test]
fn only_what_is_public_is_shown() {
    let dictionary = dictionary();
    let (page, figures) = files(&dictionary, &measured("one"));
    let figures: serde_json::Value = serde_json::from_str(&figures).expect("it is JSON");
    let shown: Vec<&str> = figures["metrics"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|metric| metric["id"].as_str())
        .collect();
    let public = dictionary.numbers.iter().filter(|number| number.public);
    assert_eq!(shown, public.map(|number| &number.id[..]).collect::<Vec<_>>());
    for number in dictionary.numbers.iter().filter(|number| !number.public) {
        assert!(!page.contains(&format!("id=\"{}\"", number.id)), "{}", number.id);
    }
}

#[test]
fn labels_that_no_legend_names_stay_private() {
    let series = Series {
        labels: [("instance", "10.0.0.1:9"), ("cache", "hit")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        points: vec![(1.0, f64::NAN), (2.0, 3.0)],
    };
    let dictionary = dictionary();
    let number = dictionary.get("gateway-first-byte-mean").expect("it is there");
    let all = shown(number, &[series]);
    assert_eq!((&all[0].name[..], &all[0].points[..]), ("hit", &[(2.0, 3.0)][..]));
    for number in dictionary.numbers.iter().filter(|number| number.public) {
        let private = ["{{instance}}", "{{job}}", "{{node}}"];
        assert!(private.iter().all(|label| !number.legend.contains(label)), "{}", number.id);
    }
}

#[test]
fn the_page_says_how_old_it_is() {
    let (page, _) = files(&dictionary(), &measured("one"));
    assert!(page.contains("<time datetime=\"2027-01-15T08:00:00Z\">"), "{page}");
    assert!(page.contains("the newest measurement was 60 s old then"));
    let (page, _) = files(&dictionary(), &Measured::default());
    assert!(page.contains("This copy holds no figures"));
}

#[test]
fn the_page_can_be_read_by_everybody_and_runs_nothing() {
    let (page, _) = files(&dictionary(), &measured("<b>\"&"));
    for needed in [
        "<!doctype html>",
        "<html lang=\"en\">",
        "<meta charset=\"utf-8\">",
        "name=\"viewport\"",
        "<title>",
        "<main id=\"main\">",
        "href=\"#main\"",
        "prefers-color-scheme: dark",
        "role=\"img\" aria-label=\"",
        "<th scope=\"row\">&lt;b&gt;&quot;&amp;</th>",
    ] {
        assert!(page.contains(needed), "it lacks {needed}");
    }
    assert_eq!(page.matches("<h1").count(), 1);
    assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("NaN"));
}

#[test]
fn gaps_stay_gaps() {
    let (page, _) = files(&dictionary(), &measured("one"));
    let path = page.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next());
    assert!(path.is_some_and(|path| path.matches('M').count() >= 1), "{path:?}");
    let day = page.split(" d=\"").filter_map(|rest| rest.split('"').next());
    assert!(day.into_iter().any(|path| path.matches('M').count() == 2));
}

#[test]
fn values_are_written_for_people() {
    for (value, unit, text) in [
        (0.9995, Unit::Ratio, "99.950 %"),
        (0.0123, Unit::Seconds, "12.3 ms"),
        (12.0, Unit::Seconds, "12.0 s"),
        (1536.0, Unit::Bytes, "1.5 KiB"),
        (12.0, Unit::BytesPerSecond, "12 B/s"),
        (2.0, Unit::Count, "2"),
        (1.0, Unit::Truth, "yes"),
    ] {
        assert_eq!(written(value, unit), text);
    }
}
