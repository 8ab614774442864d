//! `${NAME}` in configuration text: secrets and paths come from the environment.
//!
//! Substituted in values after the YAML is read, so that no value can change its structure. `${NAME:-text}` stands for
//! `text` where NAME is not set or empty; `$${` is a plain `${`.

/// Looks a variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `text` with its variables replaced, or what is wrong with it.
pub(super) fn substitute(text: &str, environment: Environment<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let before = &rest[..start];
        if let Some(plain) = before.strip_suffix('$') {
            out.push_str(plain);
            out.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(before);
        let inner = &rest[start + 2..];
        let end = inner.find('}').ok_or("${ has no } after it; write $${ for a plain ${")?;
        let (name, default) = match inner[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inner[..end], None),
        };
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !letters || name.as_bytes()[0].is_ascii_digit() {
            return Err(format!(
                "${{{name}}} names no variable: letters, digits and _ make a name; write $${{ for a plain ${{"
            ));
        }
        match (environment(name), default) {
            (Some(value), Some(default)) if value.is_empty() => out.push_str(default),
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => {
                return Err(format!("the environment has no {name}: set it, or write ${{{name}:-a default}}"));
            }
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<String, String> {
        substitute(text, &|name| match name {
            "HOME" => Some("/root".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn variables_defaults_and_escapes() {
        assert_eq!(with("a").unwrap(), "a");
        assert_eq!(with("${HOME}/x${HOME}").unwrap(), "/root/x/root");
        assert_eq!(with("${EMPTY}|${EMPTY:-e}|${NONE:-d:-}|${HOME:-no}").unwrap(), "|e|d:-|/root");
        assert_eq!(with("$HOME $${HOME} $").unwrap(), "$HOME ${HOME} $");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        assert!(with("${NONE}").unwrap_err().contains("no NONE"));
        assert!(with("${HOME").unwrap_err().contains("no }"));
        for text in ["${}", "${a b}", "${1A}"] {
            assert!(with(text).unwrap_err().contains("names no variable"), "{text}");
        }
    }
}
