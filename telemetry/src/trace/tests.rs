use super::*;

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn header_is_read_and_written_the_same() {
    let context = TraceContext::parse(VALID).expect("is well-formed");
    assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(context.span_id(), "b7ad6b7169203331");
    assert!(context.is_sampled());
    assert_eq!(context.header_value(), VALID);
}

#[test]
fn malformed_headers_are_not_repaired() {
    let malformed = [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
    ];
    for text in malformed {
        assert_eq!(TraceContext::parse(text), None, "{text}");
    }
}

//= https://www.w3.org/TR/trace-context/#versioning-of-traceparent
//= type=test
//# If a higher version is detected, the implementation SHOULD try to parse it
#[test]
fn later_version_is_read_for_what_is_known_of_it() {
    let later = TraceContext::parse(&format!("01{}-what-comes", &VALID[2..])).expect("is read");
    assert_eq!(later.to_string(), VALID);
    let unsampled = TraceContext::parse(&VALID.replace("-01", "-fe")).expect("is read");
    assert!(!unsampled.is_sampled());
}

#[test]
fn child_stays_in_its_trace() {
    let root = TraceContext::root(true);
    let child = root.child();
    assert_eq!(child.trace_id(), root.trace_id());
    assert_ne!(child.span_id(), root.span_id());
    assert_eq!(TraceContext::parse(&child.to_string()), Some(child));
}

#[test]
fn two_headers_are_as_good_as_none() {
    let mut headers = HeaderMap::new();
    headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
    assert!(TraceContext::from_headers(&headers).is_some());
    headers.append(TRACEPARENT, HeaderValue::from_static(VALID));
    assert!(TraceContext::from_headers(&headers).is_none());
}

#[test]
fn request_id_of_a_client_is_kept_only_when_harmless() {
    let mut headers = HeaderMap::new();
    let kept = "A-b_9".repeat(12);
    headers.insert(RequestId::HEADER, HeaderValue::try_from(&kept).expect("a value"));
    assert_eq!(RequestId::of(&headers).as_str(), kept);
    let long = "a".repeat(65);
    for wrong in ["", "a b", "a\"b", "a/b", "$(x)", long.as_str()] {
        headers.insert(RequestId::HEADER, HeaderValue::from_str(wrong).expect("a value"));
        let id = RequestId::of(&headers);
        assert_eq!(id.as_str().len(), 32, "{wrong}");
        assert_ne!(id.as_str(), wrong);
    }
}

#[test]
fn random_request_ids_differ() {
    let ids: std::collections::HashSet<_> = (0..1000).map(|_| RequestId::random()).collect();
    assert_eq!(ids.len(), 1000);
}
