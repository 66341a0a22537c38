//! A column's definition on MySQL, which `MODIFY` must repeat in full: what it omits is lost.

/// A definition as `SHOW CREATE TABLE` prints it after the name, for example
/// `varchar(20) NOT NULL DEFAULT 'x'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The type, with its character set and collation.
    its_type: String,
    null: Option<&'static str>,
    /// The words of everything else, such as the default and the comment.
    more: Vec<String>,
}

impl Definition {
    /// Parses a definition. Returns `None` if it is not plainly readable.
    pub(super) fn read(text: &str) -> Option<Self> {
        let words = words(text)?;
        let mut end = 1;
        loop {
            end += match *words.get(end).unwrap_or(&"") {
                "unsigned" | "zerofill" | "/*M!100301 COMPRESSED*/" => 1,
                "COLLATE" => 2,
                "CHARACTER" => 3,
                _ => break,
            };
        }
        let (its_type, more) = words.split_at_checked(end)?;
        let (null, more) = match more {
            ["NOT", "NULL", more @ ..] => (Some("NOT NULL"), more),
            ["NULL", more @ ..] => (Some("NULL"), more),
            more if more.contains(&"NOT") => return None,
            more => (None, more),
        };
        Some(Self {
            its_type: its_type.join(" "),
            null,
            more: more.iter().map(|&word| word.to_owned()).collect(),
        })
    }

    pub(super) fn nullable(self) -> Self {
        Self { null: Some("NULL"), ..self }
    }

    pub(super) fn required(mut self) -> Self {
        if let Some(place) = self.more.windows(2).position(|two| two == ["DEFAULT", "NULL"]) {
            self.more.drain(place..place + 2);
        }
        Self { null: Some("NOT NULL"), ..self }
    }

    pub(super) fn with_type(self, its_type: String) -> Self {
        Self { its_type, ..self }
    }

    /// Returns the type's number of digits of a second if the column sets the time by itself.
    pub(super) fn own_precision(&self) -> Option<&str> {
        let makes_times = |word: &String| word.to_lowercase().starts_with("current_timestamp");
        self.more.iter().any(makes_times).then(|| {
            self.its_type.split_once('(').map_or("", |(_, digits)| digits.trim_end_matches(')'))
        })
    }

    /// Returns the definition as SQL. On MySQL the default of a long text must be an expression.
    pub(super) fn text(&self) -> String {
        let mut text = self.its_type.clone();
        let mut before = "";
        for word in self.null.into_iter().chain(self.more.iter().map(String::as_str)) {
            let is_long = self.its_type.to_lowercase().contains("text");
            if is_long && before == "DEFAULT" && word.starts_with('\'') {
                text.push_str(&format!(" ({word})"));
            } else {
                text.push(' ');
                text.push_str(word);
            }
            before = word;
        }
        text
    }
}

/// Splits a text at spaces outside quotes, parentheses and comments. Returns `None` if one of these
/// has no end.
fn words(text: &str) -> Option<Vec<&str>> {
    let (mut words, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' | '`' | '"' => loop {
                match characters.next()?.1 {
                    '\\' if character == '\'' => drop(characters.next()?),
                    // If doubled, it begins another text at once.
                    end if end == character => break,
                    _ => {}
                }
            },
            '/' if characters.next_if(|next| next.1 == '*').is_some() => {
                let mut last = ' ';
                loop {
                    let (_, next) = characters.next()?;
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
            }
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ' ' if depth == 0 => {
                words.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(text.get(start..)?);
    (depth == 0).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_definition_says_is_written_back() {
        for (text, nullable) in [
            ("decimal(10,2) NOT NULL DEFAULT 1.50", "decimal(10,2) NULL DEFAULT 1.50"),
            ("bigint(20) unsigned NOT NULL", "bigint(20) unsigned NULL"),
            (
                "enum('NOT NULL','it''s (','\\\\') NOT NULL COMMENT 'NOT NULL'",
                "enum('NOT NULL','it''s (','\\\\') NULL COMMENT 'NOT NULL'",
            ),
            (
                "varchar(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL INVISIBLE",
                "varchar(20) CHARACTER SET latin1 COLLATE latin1_bin NULL INVISIBLE",
            ),
            (
                "timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3)",
                "timestamp(3) NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3)",
            ),
            (
                "int NOT NULL /*!80023 INVISIBLE */ CHECK (`a` is NOT NULL)",
                "int NULL /*!80023 INVISIBLE */ CHECK (`a` is NOT NULL)",
            ),
        ] {
            let definition = Definition::read(text).unwrap();
            assert_eq!(definition.text(), text);
            assert_eq!(definition.nullable().text(), nullable);
        }
    }

    #[test]
    fn another_type_leaves_the_rest_as_it_was() {
        let text = "varchar(9) CHARACTER SET latin1 NOT NULL DEFAULT 'a b' COMMENT 'c'";
        let long = Definition::read(text).unwrap().nullable().with_type("mediumtext".to_owned());
        assert_eq!(long.text(), "mediumtext NULL DEFAULT ('a b') COMMENT 'c'");
        let time = Definition::read("timestamp(3) NULL DEFAULT NULL COMMENT 'c'").unwrap();
        assert_eq!(time.own_precision(), None);
        assert_eq!(time.required().text(), "timestamp(3) NOT NULL COMMENT 'c'");
        let time = Definition::read("timestamp(3) NULL DEFAULT current_timestamp(3)").unwrap();
        assert_eq!(time.own_precision(), Some("3"));
    }

    #[test]
    fn a_definition_that_is_not_plain_is_not_read() {
        for odd in ["enum('a) NOT NULL", "int )", "int /* NOT NULL", "int INVISIBLE NOT NULL"] {
            assert_eq!(Definition::read(odd), None, "{odd}");
        }
    }
}
