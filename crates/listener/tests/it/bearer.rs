//! Who gets past a bearer token.

use actix_web::test::TestRequest;
use listener::BearerToken;

fn passes(token: &BearerToken, header: Option<&str>) -> bool {
    let request = header
        .map_or_else(TestRequest::default, |value| TestRequest::default().insert_header(("authorization", value)));
    match token.check(&request.to_http_request()) {
        Ok(()) => true,
        Err(problem) => {
            assert_eq!(problem.status(), 401);
            false
        }
    }
}

#[test]
fn only_the_right_token_passes() {
    let token = BearerToken::new(Some("s3cret".to_owned().into()));
    for good in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret "] {
        assert!(passes(&token, Some(good)), "{good}");
    }
    for bad in ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""] {
        assert!(!passes(&token, Some(bad)), "{bad}");
    }
    assert!(!passes(&token, None));
}

#[test]
fn without_a_token_everyone_passes_and_with_an_empty_one_nobody() {
    assert!(passes(&BearerToken::default(), None));
    for empty in ["", " ", "\n"] {
        assert!(!passes(&BearerToken::new(Some(empty.to_owned().into())), Some("Bearer ")), "{empty:?}");
    }
}

#[test]
fn blanks_around_a_token_that_is_set_up_do_not_count() {
    let token = BearerToken::new(Some(" s3cret\n".to_owned().into()));
    assert!(passes(&token, Some("Bearer s3cret")));
    assert!(!passes(&token, Some("Bearer s3cre")));
}

#[test]
fn it_is_not_shown() {
    let token = BearerToken::new(Some("s3cret".to_owned().into()));
    assert!(!format!("{token:?}").contains("s3cret"));
}
