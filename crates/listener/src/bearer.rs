//! The credential of the listeners that are not for everyone.

use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::Problem;

/// A token that every request must bring; `None` where none is asked for.
#[derive(Debug, Clone, Default)]
pub struct BearerToken(Option<SecretString>);

impl BearerToken {
    /// An empty token lets nobody in. Blanks around it count no more than those around a token that is shown, which HTTP
    /// does not carry.
    pub fn new(token: Option<SecretString>) -> Self {
        Self(token.map(|token| SecretString::from(token.expose_secret().trim())))
    }

    /// Whether `request` may pass: `Authorization: Bearer <token>`, compared in constant time. Else 401.
    pub fn check(&self, request: &HttpRequest) -> Result<(), Problem> {
        let Some(expected) = &self.0 else { return Ok(()) };
        let expected = expected.expose_secret().as_bytes();
        let given = given(request).unwrap_or_default();
        if !expected.is_empty() && bool::from(given.as_bytes().ct_eq(expected)) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "send the header `Authorization: Bearer <token>` with the token that this listener is set up with",
        )
        .challenge("Bearer realm=\"finlinkd\""))
    }
}

fn given(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
