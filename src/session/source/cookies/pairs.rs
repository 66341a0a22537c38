//! The parser of `Cookie` headers, by the rules of Clerk's own SDK.
//!
//! It is not that of the `cookie` crate, which breaks three of them: it decodes names as well as values
//! or neither, so that `__sess%69on` would come before a genuine `__session`; it decodes the good
//! escapes of a value that has a malformed one too; and it trims all of Unicode's white space.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::COOKIE;

/// Returns the values of the cookies with these names: of several with one name that of the first, and
/// `None` if that is empty.
///
/// HTTP/2 may split the header into several fields (RFC 9113 8.2.3), which count as joined.
pub(super) fn values<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&str; N],
) -> [Option<Cow<'h, [u8]>>; N] {
    let mut found: [Option<&'h [u8]>; N] = [None; N];
    for (name, value) in pairs(headers) {
        for (wanted, found) in names.iter().zip(&mut found) {
            if found.is_none() && name == wanted.as_bytes() {
                *found = Some(value);
            }
        }
    }
    found.map(|value| value.filter(|value| !value.is_empty()).map(decoded))
}

/// Returns all pairs in their order; what has no `=` is none.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = headers.get_all(COOKIE).into_iter();
    let segments = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    segments.filter_map(|segment| {
        let at = segment.iter().position(|byte| *byte == b'=')?;
        let (name, value) = segment.split_at(at);
        Some((trimmed(name), trimmed(value.strip_prefix(b"=")?)))
    })
}

/// Returns the bytes without the spaces and tabs at either end.
fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns a value without its percent escapes, or as it is if one of them is malformed.
fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    unescaped(value).map_or(Cow::Borrowed(value), Cow::Owned)
}

fn unescaped(value: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    str::from_utf8(&decoded).is_ok().then_some(decoded)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[impl AsRef<[u8]>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_bytes(field.as_ref()).unwrap());
        }
        headers
    }

    fn value(fields: &[&str], name: &str) -> Option<String> {
        let headers = headers(fields);
        let [value] = values(&headers, [name]);
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn cookies_are_read_as_clerks_sdk_reads_them() {
        for (fields, expected) in [
            (&["a=1"][..], Some("1")),
            (&["a=1; a=2"], Some("1")),
            (&["a=1", "a=2"], Some("1")),
            (&["b=0; x", "a=2"], Some("2")),
            (&["a=; a=2"], None),
            (&["a"], None),
            (&["a; a=2"], Some("2")),
            (&["A=1; b=2"], None),
            (&[" \ta \t=\t 1 \t;"], Some("1")),
            (&["a=b=c=="], Some("b=c==")),
            (&["a=\"1\""], Some("\"1\"")),
            (&["a=%31%2e%32"], Some("1.2")),
            (&["a=%31%"], Some("%31%")),
            (&["a=%31%zz"], Some("%31%zz")),
            (&["a=%31%+1"], Some("%31%+1")),
            (&["a=%ff"], Some("%ff")),
            (&["a=%c3%a9"], Some("é")),
            (&["a=1%3B a=2"], Some("1; a=2")),
            (&["%61=1"], None),
            (&["%61=1; a=2"], Some("2")),
            (&["a=1,2"], Some("1,2")),
            (&["=1; a=2"], Some("2")),
            (&[""], None),
        ] {
            assert_eq!(value(fields, "a").as_deref(), expected, "{fields:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_cookie_header_are_too_much(
            fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..4),
        ) {
            let mut headers = HeaderMap::new();
            for field in fields {
                if let Ok(field) = HeaderValue::from_bytes(&field) {
                    headers.append(COOKIE, field);
                }
            }
            let _values = values(&headers, ["a", "", "__session"]);
        }

        #[test]
        fn the_first_of_a_name_counts_and_split_fields_count_as_joined(
            pairs in prop::collection::vec(("[ab]", "[a-z0-9%\"= \t]{0,5}"), 1..8),
            cuts in prop::collection::vec(any::<bool>(), 8),
        ) {
            let texts: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
            let mut fields = vec![String::new()];
            for (text, cut) in texts.iter().zip(cuts) {
                match fields.last_mut() {
                    Some(field) if field.is_empty() => field.push_str(text),
                    Some(field) if !cut => { field.push_str("; "); field.push_str(text); }
                    _ => fields.push(text.clone()),
                }
            }
            let joined = headers(&[texts.join("; ")]);
            let split = headers(&fields);
            prop_assert_eq!(values(&joined, ["a", "b"]), values(&split, ["a", "b"]));
            let first = pairs.iter().find(|(name, _)| name == "a");
            let first = first.map(|(_, value)| value.trim_matches([' ', '\t']));
            let [found] = values(&joined, ["a"]);
            let first = first.filter(|first| !first.is_empty()).map(|first| decoded(first.as_bytes()));
            prop_assert_eq!(found, first);
        }
    }
}
