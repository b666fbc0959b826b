//! The rates of errors that are stated, on few runs of a fixed seed.

use super::*;

fn simulated(scenarios: &[&str], runs: u32, pairs: u32) -> Vec<Outcome> {
    let args = SimulateArgs {
        runs,
        pairs,
        every: 2_000,
        seed: 1,
        scenarios: scenarios.iter().map(|one| one.parse().expect("a fault")).collect(),
    };
    let thresholds = Thresholds::load(None).expect("built in");
    run(&args, &thresholds, &|_, _| {})
}

#[test]
fn sound_releases_are_not_rejected_and_planted_faults_are_found_and_never_promoted() {
    let outcomes = simulated(&["slower=0", "slower=0.05", "headers=0.001"], 8, 20_000);
    assert!(outcomes[0].sound && outcomes[0].rate(Verdict::Reject).count == 0, "{outcomes:?}");
    for one in &outcomes[1..] {
        assert_eq!(one.rate(Verdict::Promote).count, 0, "{one:?}");
        assert!(one.rate(Verdict::Reject).count >= 7, "{one:?}");
    }
}

#[test]
fn more_errors_are_found() {
    let outcomes = simulated(&["errors=0.001"], 12, 20_000);
    assert_eq!(outcomes[0].rate(Verdict::Promote).count, 0, "{outcomes:?}");
    assert!(outcomes[0].rate(Verdict::Reject).count >= 9, "{outcomes:?}");
    assert!(outcomes[0].decided_after.is_some_and(|pairs| pairs <= 20_000));
}

#[test]
fn a_rare_flip_is_found_as_often_as_arithmetic_allows() {
    let outcomes = simulated(&["flips=0.00001"], 4, 2_000);
    let rare = outcomes[0].rare.expect("it is rare");
    // 0.85 of answers can be verified: 3 / (0.85 in 10^5).
    assert_eq!(rare.pairs_for_95, 352_438);
    assert!((rare.within - 0.0169).abs() < 1e-3, "{rare:?}");
    assert!(text(&outcomes, Style::plain()).contains("352438 pairs do with 95 %"));
}

#[test]
fn runs_depend_on_the_seed_alone() {
    let (first, second) =
        (simulated(&["flips=0.001"], 6, 3_000), simulated(&["flips=0.001"], 6, 3_000));
    assert_eq!(serde_json::json!(first), serde_json::json!(second));
}
