//! What holds of requests for profiles; profiles themselves are tested from outside.

use super::*;

#[test]
fn bounds_of_a_cpu_profile_are_told() {
    for (seconds, hertz, expected) in [
        (0, 99, "seconds is 0: ask for 1 to 60"),
        (61, 99, "seconds is 61: ask for 1 to 60"),
        (1, 0, "hz is 0: ask for 1 to 199"),
        (1, 200, "hz is 200: ask for 1 to 199"),
    ] {
        let error = CpuRequest::new(seconds, hertz).expect_err("is out of bounds");
        assert_eq!(error.to_string(), expected);
    }
    CpuRequest::new(60, 199).expect("the bounds themselves are allowed");
}
