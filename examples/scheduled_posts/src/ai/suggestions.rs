//! Posts from a model's text, which is parsed leniently and not trusted.

use serde_json::Value;

/// Returns at most `count` posts from an answer: JSON, JSON within other text, or a list.
pub(super) fn read(answer: &str, count: usize) -> Vec<String> {
    // Some models write their reasoning first.
    let answer = answer.rsplit_once("</think>").map_or(answer, |(_, answer)| answer).trim();
    let texts = json(answer).unwrap_or_else(|| listed(answer));
    texts.iter().filter_map(|text| post(text)).take(count).collect()
}

/// Returns the strings of an array: the whole answer, a member of it, or the text between brackets.
fn json(answer: &str) -> Option<Vec<String>> {
    let between = |open, close| answer.get(answer.find(open)?..=answer.rfind(close)?);
    [Some(answer), between('[', ']'), between('{', '}')]
        .into_iter()
        .flatten()
        .find_map(|text| strings(&serde_json::from_str(text).ok()?))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => Some(items.iter().filter_map(text).collect()),
        Value::Object(members) => {
            members.values().filter(|member| member.is_array()).find_map(strings)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Returns a string, or the first string in an object.
fn text(item: &Value) -> Option<String> {
    let wrapped = |members: &serde_json::Map<String, Value>| {
        members.values().find_map(Value::as_str).map(str::to_owned)
    };
    item.as_str().map(str::to_owned).or_else(|| item.as_object().and_then(wrapped))
}

/// Returns the items of a list with numbers or bullets.
fn listed(answer: &str) -> Vec<String> {
    let item = |line: &str| {
        let line = line.trim_start();
        let bullet = line.strip_prefix(['-', '*', '•']);
        let number = || line.trim_start_matches(|c: char| c.is_ascii_digit());
        let numbered =
            || Some(number()).filter(|rest| rest.len() < line.len())?.strip_prefix(['.', ')']);
        let rest = bullet.or_else(numbered)?.strip_prefix(' ')?.trim();
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Some(quoted.unwrap_or(rest).to_owned())
    };
    answer.lines().filter_map(item).collect()
}

/// Returns a text as a post that the API accepts: no control characters, at most 280 characters.
fn post(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned();
    (!clean.is_empty()).then(|| cut(&clean).to_owned())
}

/// Cuts a text at the end of a word, or within a word that begins before half of the limit.
fn cut(text: &str) -> &str {
    let Some((end, next)) = text.char_indices().nth(LONGEST_POST) else { return text };
    let kept = text.get(..end).unwrap_or(text);
    if next.is_whitespace() {
        return kept.trim_end();
    }
    let words = kept.rsplit_once(char::is_whitespace).map(|(words, _)| words.trim_end());
    words.filter(|words| words.chars().count() >= LONGEST_POST / 2).unwrap_or(kept)
}

const LONGEST_POST: usize = 280;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_found_however_a_model_wraps_them() {
        for answer in [
            r#"["one","two"]"#,
            "```json\n[\"one\", \"two\"]\n```",
            r#"Sure! Here you are: ["one", "two"] - enjoy."#,
            r#"{"suggestions": ["one", "two"]}"#,
            r#"{"note": "x", "posts": [{"text": "one"}, {"text": "two"}]}"#,
            "<think>[\"no\"] or what?</think>\n[\"one\", \"two\"]",
            "1. one\n2. \"two\"",
            "Here:\n- one\n* two\n",
        ] {
            assert_eq!(read(answer, 3), ["one", "two"], "{answer}");
        }
        for nothing in
            ["", "I cannot help with that.", "{}", "[]", "[1, null, true]", r#"[" ", ""]"#, "null"]
        {
            assert!(read(nothing, 3).is_empty(), "{nothing}");
        }
        assert_eq!(read(r#"["a","b","c"]"#, 2), ["a", "b"]);
    }

    #[test]
    fn every_suggestion_is_a_post_that_the_api_takes() {
        let long = format!("[\"{}\"]", "word ".repeat(100));
        let [cut] = &*read(&long, 1) else { panic!("one") };
        assert_eq!((cut.len(), cut.ends_with("word")), (279, true));
        let unbroken = format!("[\"{}\"]", "🎉".repeat(300));
        assert_eq!(read(&unbroken, 1)[0].chars().count(), 280);
        let exact = format!("[\"{} {}\"]", "a".repeat(280), "b");
        assert_eq!(read(&exact, 1), ["a".repeat(280)]);
        assert_eq!(read(r#"["\u0000 a\u0007b\n "]"#, 1), ["a b"]);
    }
}
