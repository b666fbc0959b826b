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
    Measured { at: Some(at), newest, values: values.collect(), more: BTreeMap::new() }
}

/// Budgets of so many objectives, as Prometheus tells them.
fn budgets(names: impl Iterator<Item = [String; 2]>) -> Vec<Series> {
    let series = names.map(|[service, slo]| Series {
        labels: [("sloth_service".to_owned(), service), ("sloth_slo".to_owned(), slo)].into(),
        points: vec![(1_799_900_000.0, 1.0), (1_799_986_400.0, 0.5)],
    });
    series.collect()
}

/// The public page with these budgets, and the figures behind it.
fn with_budgets(series: &[Series]) -> (String, String) {
    let dictionary = dictionary();
    let number = dictionary.get("budget-left").expect("it is there");
    let mut measured = measured("one");
    let (all, more) = shown(number, series);
    measured.values.insert(number.id.clone(), all);
    measured.more.extend((more > 0).then(|| (number.id.clone(), more)));
    files(&dictionary, &measured)
}

#[test]
fn the_budget_of_every_objective_is_shown_beside_its_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../slo");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.contains("\nslos:") {
            let service = crate::slo::service(&path, &text).expect("it can be read");
            names.extend(service.slos.iter().map(|slo| [slo.service.clone(), slo.name.clone()]));
        }
    }
    assert!(names.len() > 8, "{names:?}");
    let (page, figures) = with_budgets(&budgets(names.iter().cloned()));
    for [service, slo] in &names {
        let row = page.split("<tr>").find(|row| row.contains(&format!(">{service} {slo}</th>")));
        let row = row.unwrap_or_else(|| panic!("{service} {slo} is missing: {page}"));
        let label = format!(
            "aria-label=\"Error budget left, {service} {slo}: from 50.0 % to 100.0 % over 90 days\""
        );
        assert!(row.contains("<td>50.0 %") && row.contains(&label), "{row}");
        assert_eq!(row.matches("<path").count(), 1, "a picture is of one series: {row}");
    }
    assert!(!page.contains("not shown") && !figures.contains("\"more_series\": 1"), "{figures}");
}

#[test]
fn what_does_not_fit_is_counted_and_a_page_of_what_does_is_small() {
    let many = (0..SERIES_MAX + 3).map(|index| [format!("service-{index:02}"), "slo".to_owned()]);
    let mut series = budgets(many);
    for one in &mut series {
        one.points =
            (0..=90).map(|day| (1_792_224_000.0 + f64::from(day) * 86_400.0, 0.5)).collect();
    }
    let (page, figures) = with_budgets(&series);
    assert!(page.contains("<p>3 more are not shown.</p>"), "{page}");
    assert!(page.len() < 64 * 1024, "{}", page.len());
    let read = Measured::read(figures.as_bytes()).expect("it is ours").expect("it has figures");
    assert_eq!(read.more, [("budget-left".to_owned(), 3)].into());
}

#[test]
fn figures_that_are_none_are_told_from_what_is_something_else() {
    let (_, none) = files(&dictionary(), &Measured::default());
    assert!(Measured::read(none.as_bytes()).expect("it is ours").is_none());
    let (_, some) = files(&dictionary(), &measured("one"));
    let read = Measured::read(some.as_bytes()).expect("it is ours").expect("it has figures");
    assert_eq!(read.values["availability"][0].name, "one");
    assert!(Measured::read(b"<html>").is_err());
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
    let (all, more) = shown(number, &[series]);
    assert_eq!((&all[0].name[..], &all[0].points[..], more), ("hit", &[(2.0, 3.0)][..], 0));
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
