//! Paths into JSON: `$.name."other name"[0][-1]`, or just the name of a member.

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To the member of an object.
    Member(String),
    /// To the element of an array, from 0; a negative one from the end, -1 being the last.
    Element(i64),
}

/// Where a value stands in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub(super) steps: Vec<Step>,
}

impl Path {
    /// The path that `text` says; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let Some(mut rest) = text.strip_prefix('$') else {
            return Ok(Self { steps: vec![Step::Member(text.into())] });
        };
        let wrong = || format!("'{text}' is not a path into JSON, as in $.name[0]");
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = if let Some(after) = rest.strip_prefix('.') {
                match after.strip_prefix('"') {
                    Some(quoted) => quoted.split_once('"').map(|(name, after)| (Step::Member(name.into()), after)),
                    None => {
                        let end = after.find(['.', '[']).unwrap_or(after.len());
                        let (name, after) = after.split_at(end);
                        (!name.is_empty() && name != "*").then(|| (Step::Member(name.into()), after))
                    }
                }
            } else if let Some(after) = rest.strip_prefix('[') {
                after.split_once(']').and_then(|(index, after)| element(index).map(|step| (step, after)))
            } else {
                None
            }
            .ok_or_else(wrong)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self { steps })
    }
}

/// `0`, `-1`, `#-1`, `'name'` or `"name"`.
fn element(text: &str) -> Option<Step> {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(name) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Some(Step::Member(name.into()));
        }
    }
    let digits = text.strip_prefix('#').filter(|rest| rest.starts_with('-')).unwrap_or(text);
    digits.parse().ok().map(Step::Element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_or_refused() {
        let member = |name: &str| Step::Member(name.into());
        for (text, steps) in [
            ("$", vec![]),
            ("name", vec![member("name")]),
            ("", vec![member("")]),
            ("a.b", vec![member("a.b")]),
            ("$.a.b", vec![member("a"), member("b")]),
            ("$.\"a.b\"[0]", vec![member("a.b"), Step::Element(0)]),
            ("$[-1][#-2]['x']", vec![Step::Element(-1), Step::Element(-2), member("x")]),
        ] {
            assert_eq!(Path::read(text), Ok(Path { steps }), "{text}");
        }
        for text in ["$.", "$a", "$.a.", "$[", "$[x]", "$[1", "$.*", "$[*]", "$.\"a", "$..a", "$[]"] {
            assert!(Path::read(text).is_err(), "{text}");
        }
    }
}
