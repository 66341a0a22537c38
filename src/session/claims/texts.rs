//! The short texts that nearly every token has, in one allocation instead of five.

/// The texts of a token, by [`TextName`].
pub(super) struct Texts {
    all: Box<str>,
    /// The start and the end of each text. An absent one ends before it starts.
    places: [(u16, u16); NAMES],
}

/// The name of a text.
#[derive(Clone, Copy)]
pub(super) enum TextName {
    Issuer,
    Subject,
    SessionId,
    AuthorizedParty,
    /// From the header, not from the claims.
    KeyId,
}

const NAMES: usize = 5;
const ABSENT: (u16, u16) = (1, 0);

impl Texts {
    /// Joins the texts; returns `None` if they exceed 64 KiB, which no accepted token can contain.
    pub(super) fn new(texts: [(TextName, Option<&str>); NAMES]) -> Option<Self> {
        let length = texts.iter().filter_map(|(_, text)| *text).map(str::len).sum();
        let mut all = String::with_capacity(length);
        let mut places = [ABSENT; NAMES];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            let begin = u16::try_from(all.len()).ok()?;
            all.push_str(text);
            *places.get_mut(name as usize)? = (begin, u16::try_from(all.len()).ok()?);
        }
        Some(Self { all: all.into(), places })
    }

    pub(super) fn get(&self, name: TextName) -> Option<&str> {
        let (begin, end) = *self.places.get(name as usize)?;
        self.all.get(begin.into()..end.into())
    }

    #[cfg(feature = "moka")]
    pub(super) fn bytes(&self) -> usize {
        self.all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(of: [Option<&str>; NAMES]) -> Option<Texts> {
        let [iss, sub, sid, azp, kid] = of;
        Texts::new([
            (TextName::Issuer, iss),
            (TextName::Subject, sub),
            (TextName::SessionId, sid),
            (TextName::AuthorizedParty, azp),
            (TextName::KeyId, kid),
        ])
    }

    #[test]
    fn each_text_comes_out_as_it_went_in_and_an_empty_one_is_not_an_absent_one() {
        let texts =
            texts([Some("https://a"), Some("üser"), None, Some(""), Some("ins_1")]).unwrap();
        assert_eq!(texts.get(TextName::Issuer), Some("https://a"));
        assert_eq!(texts.get(TextName::Subject), Some("üser"));
        assert_eq!(texts.get(TextName::SessionId), None);
        assert_eq!(texts.get(TextName::AuthorizedParty), Some(""));
        assert_eq!(texts.get(TextName::KeyId), Some("ins_1"));
    }

    #[test]
    fn what_is_too_long_to_be_in_a_token_is_nothing() {
        let (half, most) = ("x".repeat(40_000), "x".repeat(usize::from(u16::MAX)));
        assert!(texts([Some(&half), Some(&half), None, None, None]).is_none());
        let longest = texts([None, None, None, None, Some(&most)]).unwrap();
        assert_eq!(longest.get(TextName::KeyId), Some(&*most));
    }
}
