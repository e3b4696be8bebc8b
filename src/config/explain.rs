//! Errors of the raw mirror in the user's words: what is allowed, and the nearest name to a misspelt one.

use super::Fault;

/// The candidate nearest to `word`, if any is near enough to be a likely misspelling.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::jaro_winkler(&lower, c), strsim::damerau_levenshtein(&lower, c), c))
        .filter(|(similarity, distance, c)| *similarity > 0.82 || *distance <= 1 + c.chars().count() / 6)
        .min_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))
        .map(|(_, _, c)| c)
}

/// `did you mean ...? allowed: ...` for an unknown `word`.
pub fn suggestion(word: &str, allowed: &[&str]) -> String {
    let list = allowed.join(", ");
    match nearest(word, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

/// A serde message about the value at `path` in the user's words.
pub(crate) fn fault(path: &str, message: &str) -> Fault {
    let message = message.lines().next().unwrap_or("").trim();
    let quoted = |s: &str| s.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    for (prefix, what) in [("unknown field ", "unknown key"), ("unknown variant ", "unknown value")] {
        if let Some(rest) = message.strip_prefix(prefix) {
            let names = quoted(rest);
            let (word, allowed) = names.split_first().map_or(("", &[][..]), |(w, a)| (w.as_str(), a));
            let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
            let key = if what == "unknown key" { with_leaf(path, word) } else { path.to_string() };
            let named = if what == "unknown key" { String::new() } else { format!(" `{word}`") };
            return Fault::new(key, format!("{what}{named}; {}", suggestion(word, &allowed)));
        }
    }
    let found_expected = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    match found_expected {
        Some((found, expected)) => {
            let found = match found {
                "map" => "a table",
                "sequence" => "a list",
                other => other,
            };
            Fault::new(path, format!("expected {}, found {found}", plain(expected)))
        }
        None => Fault::new(path, message),
    }
}

fn with_leaf(path: &str, leaf: &str) -> String {
    if path.is_empty() || path == "." {
        leaf.to_string()
    } else if path == leaf || path.ends_with(&format!(".{leaf}")) {
        path.to_string()
    } else {
        format!("{path}.{leaf}")
    }
}

fn plain(expected: &str) -> &str {
    match expected {
        "u64" | "usize" | "u32" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a table",
        "string or map" | "variant identifier" | "variant of enum" => "a name in quotes",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("enum ") => "a name in quotes",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_find_their_neighbour_and_noise_finds_none() {
        let keys = ["steps", "episodes", "alpha", "learn_alpha", "advantage"];
        assert_eq!(nearest("alhpa", keys), Some("alpha"));
        assert_eq!(nearest("episode", keys), Some("episodes"));
        assert_eq!(nearest("Steps", keys), Some("steps"));
        assert_eq!(nearest("qqqqqq", keys), None);
    }

    #[test]
    fn serde_messages_become_allowed_lists() {
        let f = fault("inner.alhpa", "unknown field `alhpa`, expected one of `steps`, `alpha`");
        assert_eq!(f.key, "inner.alhpa");
        assert_eq!(f.message, "unknown key; did you mean `alpha`? allowed: steps, alpha");
        let f = fault("inner.steps", "invalid type: string \"two\", expected usize");
        assert_eq!(f.message, "expected a whole number, 0 or more, found string \"two\"");
    }
}
