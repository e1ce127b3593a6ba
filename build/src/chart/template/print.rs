//! Go's `fmt`: how values are printed, and `printf`.

use std::fmt::Write as _;

use super::value::Value;

/// As `%v`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::Text(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Versions(versions) => format!("[{}]", versions.join(" ")),
        Value::Map(map) => {
            let map = map.borrow();
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
        Value::Files(files) => format!("map[{}]", files.keys().cloned().collect::<Vec<_>>().join(" ")),
    }
}

/// Go's shortest form (`strconv.FormatFloat`), which has an exponent from a million on.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    value.to_string()
}

/// One `%…` of a format.
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    zero: bool,
    sharp: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `printf`.
pub(crate) fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| "-+0# ".contains(*c)) {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '0' => verb.zero = true,
                '#' => verb.sharp = true,
                _ => verb.space = true,
            }
        }
        verb.width = number(&mut chars, args, &mut next);
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(&mut chars, args, &mut next).unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => {
                match args.get(next) {
                    Some(value) => out.push_str(&verb.show(letter, value)),
                    None => {
                        let _ = write!(out, "%!{letter}(MISSING)");
                    }
                }
                next += 1;
            }
        }
    }
    if next < args.len() {
        let extra: Vec<String> =
            args[next..].iter().map(|one| format!("{}={}", one.type_name(), plain(one))).collect();
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

fn number(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    args: &[Value],
    next: &mut usize,
) -> Option<usize> {
    if chars.next_if_eq(&'*').is_some() {
        let width = args.get(*next).map(Value::integer);
        *next += 1;
        return width.and_then(|width| usize::try_from(width).ok());
    }
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.parse().ok()
}

impl Verb {
    fn show(&self, letter: char, value: &Value) -> String {
        let body = match (letter, value) {
            ('v', Value::Text(text)) if self.sharp => quoted(text),
            ('v' | 's', Value::Nil) if letter == 's' => "%!s(<nil>)".to_owned(),
            ('v', _) => plain(value),
            ('d', Value::Int(number)) => self.signed(*number),
            ('s', Value::Int(_) | Value::Float(_) | Value::Bool(_)) => self.wrong(letter, value),
            ('s', _) => self.cut(&plain(value)),
            ('q', Value::Int(number)) => {
                format!("'{}'", u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'))
            }
            ('q', Value::List(items)) => {
                format!("[{}]", items.iter().map(|item| quoted(&plain(item))).collect::<Vec<_>>().join(" "))
            }
            ('q', Value::Text(text)) => quoted(&self.cut(text)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('T', _) => value.type_name().to_owned(),
            ('x', Value::Int(number)) => format!("{number:x}"),
            ('X', Value::Int(number)) => format!("{number:X}"),
            ('o', Value::Int(number)) => format!("{number:o}"),
            ('b', Value::Int(number)) => format!("{number:b}"),
            ('c', Value::Int(number)) => {
                u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('x', Value::Text(text)) => text.bytes().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
            ('f' | 'F', Value::Float(number)) => format!("{number:.*}", self.precision.unwrap_or(6)),
            ('g' | 'G' | 'e' | 'E', Value::Float(number)) => match self.precision {
                Some(precision) if letter == 'e' => format!("{number:.precision$e}"),
                _ => float(*number),
            },
            _ => self.wrong(letter, value),
        };
        self.padded(body, matches!(value, Value::Int(_) | Value::Float(_)))
    }

    fn wrong(&self, letter: char, value: &Value) -> String {
        let name = if let Value::Int(_) = value { "int" } else { value.type_name() };
        format!("%!{letter}({name}={})", plain(value))
    }

    fn signed(&self, number: i64) -> String {
        let sign = match (number < 0, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let digits = number.unsigned_abs().to_string();
        format!("{sign}{digits:0>width$}", width = self.precision.unwrap_or(0))
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        }
    }

    fn padded(&self, body: String, is_number: bool) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(body.chars().count());
        if missing == 0 {
            return body;
        }
        if self.minus {
            return body + &" ".repeat(missing);
        }
        if self.zero && is_number {
            let (sign, digits) = match body.strip_prefix(['-', '+']) {
                Some(digits) => (&body[..1], digits),
                None => ("", body.as_str()),
            };
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        " ".repeat(missing) + &body
    }
}

/// Go's `strconv.Quote`.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
