//! Headers that are accepted. Refused ones are in `tests/it/attacks`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn header(json: &str) -> Result<Option<String>, AuthErrorKind> {
    let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(json));
    UnverifiedToken::parse(&token, TokenKind::Session, 8192).map(|token| token.kid.map(Into::into))
}

#[test]
fn a_header_as_clerk_writes_it_passes_and_names_its_key() {
    for json in [
        r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_1","typ":"JWT"}"#,
        r#"{"alg":"RS256","cat":"cl_I7d4PD111III","kid":"ins_1","typ":"JWT","oiat":1}"#,
        " {\"kid\" : \"ins\\u005f1\",\n\"alg\":\"RS256\",\"x\":{\"alg\":\"none\"}} ",
    ] {
        assert_eq!(header(json), Ok(Some("ins_1".into())), "{json}");
    }
    assert_eq!(header(r#"{"alg":"RS256"}"#), Ok(None));
}
