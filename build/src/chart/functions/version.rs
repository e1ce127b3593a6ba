//! `semver` and `semverCompare`, by the rules of Masterminds/semver.

use std::cmp::Ordering;

use super::{Given, Stop, string};
use crate::chart::template::value::Value;

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "semver" => string(args, 0).and_then(|text| {
            let version = parse(&text)?;
            Ok(Value::of([
                ("Major", Value::Int(version.parts[0] as i64)),
                ("Minor", Value::Int(version.parts[1] as i64)),
                ("Patch", Value::Int(version.parts[2] as i64)),
                ("Prerelease", Value::text(&version.pre)),
                ("Metadata", Value::text("")),
                ("Original", Value::text(&text)),
            ]))
        }),
        "semverCompare" => string(args, 0).and_then(|constraint| {
            let version = parse(&string(args, 1)?)?;
            Ok(Value::Bool(holds(&constraint, &version)?))
        }),
        _ => return None,
    })
}

/// Whether a version is within a constraint.
pub(super) fn fits(constraint: &str, version: &str) -> Result<bool, Stop> {
    holds(constraint, &parse(version)?)
}

/// A version: major, minor, patch, and what stands after `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    parts: [u64; 3],
    pre: String,
    /// How many of the parts were written and are no wildcard.
    written: usize,
}

fn parse(text: &str) -> Result<Version, Stop> {
    let wrong = || Stop::from(format!("`{text}` is no semantic version"));
    let plain = text.trim().trim_start_matches(['v', 'V']).split('+').next().unwrap_or_default();
    let (numbers, pre) = plain.split_once('-').unwrap_or((plain, ""));
    let mut version = Version { parts: [0; 3], pre: pre.to_owned(), written: 0 };
    for (index, part) in numbers.split('.').enumerate() {
        if matches!(part, "x" | "X" | "*") {
            break;
        }
        *version.parts.get_mut(index).ok_or_else(wrong)? = part.parse().map_err(|_| wrong())?;
        version.written += 1;
    }
    Ok(version)
}

impl Version {
    fn order(&self, other: &Self) -> Ordering {
        let pre = |one: &str, other: &str| match (one.is_empty(), other.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => pre_order(one, other),
        };
        self.parts.cmp(&other.parts).then_with(|| pre(&self.pre, &other.pre))
    }
}

fn pre_order(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                _ => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Whether a version is within `>=1.2 <2 || ^3`.
pub(crate) fn holds(constraint: &str, version: &Version) -> Result<bool, Stop> {
    for any in constraint.split("||") {
        let mut all = true;
        for one in split(any) {
            all &= one_holds(&one, version)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Splits at commas and blanks; blanks after an operator do not count, `1 - 2` is a range.
fn split(text: &str) -> Vec<String> {
    let text = text.replace(" - ", "..").replace(',', " ");
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            Some(last) if last.ends_with(['=', '<', '>', '~', '^', '!']) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

fn one_holds(text: &str, version: &Version) -> Result<bool, Stop> {
    if let Some((from, to)) = text.split_once("..") {
        return Ok(one_holds(&format!(">={from}"), version)? && one_holds(&format!("<={to}"), version)?);
    }
    let at = text.find(|c: char| !"=<>!~^".contains(c)).unwrap_or(text.len());
    let (operator, rest) = text.split_at(at);
    let bound = parse(rest)?;
    // A version that is none yet is taken only by who asks for such.
    if !version.pre.is_empty() && bound.pre.is_empty() {
        return Ok(false);
    }
    let order = version.order(&bound);
    let same = |count: usize| version.parts[..count] == bound.parts[..count];
    let written = bound.written;
    Ok(match operator {
        "" | "=" | "==" if written < 3 => same(written),
        "" | "=" | "==" => order == Ordering::Equal,
        "!=" if written < 3 => !same(written),
        "!=" => order != Ordering::Equal,
        ">" if written < 3 => order == Ordering::Greater && !same(written),
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        ">=" | "=>" => order != Ordering::Less,
        "<=" | "=<" if written < 3 => order != Ordering::Greater || same(written),
        "<=" | "=<" => order != Ordering::Greater,
        "~" | "~>" => order != Ordering::Less && same(written.clamp(0, 2)),
        "^" => {
            let first = bound.parts.iter().position(|part| *part > 0).unwrap_or(2);
            order != Ordering::Less && same((first + 1).min(written.max(1)))
        }
        _ => return Err(format!("`{text}` is no constraint of versions").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_masterminds() {
        for (constraint, version, expected) in [
            (">=1.21-0", "v1.33.0", true),
            (">=1.21-0", "1.21.0-gke.1", true),
            (">=1.21", "1.22.0-rc.1", false),
            ("<1.14-0", "v1.33.0", false),
            ("^1.8.0", "1.19.3", true),
            ("^1.8.0", "2.0.0", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("~1", "1.9.0", true),
            ("1.2.x", "1.2.7", true),
            ("1.2 - 1.4.5", "1.4.5", true),
            (">= 1.0, < 2.0", "1.5.0", true),
            (">=1.19.0-0 <1.22.0-0 || >=1.25.0-0", "1.23.1", false),
            ("!=1.2", "1.2.5", false),
            ("<=1.2", "1.2.5", true),
            (">1.2", "1.2.5", false),
            ("*", "1.2.5", true),
        ] {
            let found = holds(constraint, &parse(version).unwrap()).unwrap();
            assert_eq!(found, expected, "{constraint} {version}");
        }
    }
}
