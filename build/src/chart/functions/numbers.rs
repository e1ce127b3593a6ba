//! Functions of numbers.

use super::{Given, arg};
use crate::chart::template::value::Value;

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    let whole = |from: i64, add: fn(i64, i64) -> Option<i64>| -> Given {
        let sum = args.iter().try_fold(from, |sum, one| add(sum, one.integer()));
        sum.map(Value::Int).ok_or_else(|| "the number is too large".into())
    };
    let first = |then: fn(i64, i64) -> Option<i64>| -> Given {
        let begin = arg(args, 0)?.integer();
        let end = args[1..].iter().try_fold(begin, |sum, one| then(sum, one.integer()));
        end.map(Value::Int).ok_or_else(|| "it cannot be divided by zero".into())
    };
    let real = |from: Option<f64>, then: fn(f64, f64) -> f64| -> Given {
        let (from, rest) = match from {
            Some(from) => (from, args),
            None => (arg(args, 0)?.number(), &args[1..]),
        };
        Ok(Value::Float(rest.iter().fold(from, |sum, one| then(sum, one.number()))))
    };
    Some(match name {
        "int" | "int64" => arg(args, 0).map(|value| Value::Int(value.integer())),
        "float64" => arg(args, 0).map(|value| Value::Float(value.number())),
        "atoi" => arg(args, 0).map(|value| Value::Int(value.shown().trim().parse().unwrap_or(0))),
        "toDecimal" => {
            arg(args, 0).map(|value| Value::Int(i64::from_str_radix(&value.shown(), 8).unwrap_or(0)))
        }
        "add" => whole(0, i64::checked_add),
        "add1" => arg(args, 0).map(|value| Value::Int(value.integer().saturating_add(1))),
        "mul" => whole(1, i64::checked_mul),
        "sub" => first(i64::checked_sub),
        "div" => first(i64::checked_div),
        "mod" => first(i64::checked_rem),
        "addf" => real(Some(0.0), |one, other| one + other),
        "add1f" => arg(args, 0).map(|value| Value::Float(value.number() + 1.0)),
        "mulf" => real(Some(1.0), |one, other| one * other),
        "subf" => real(None, |one, other| one - other),
        "divf" => real(None, |one, other| one / other),
        "max" | "biggest" => first(|one, other| Some(one.max(other))),
        "min" => first(|one, other| Some(one.min(other))),
        "maxf" => real(None, f64::max),
        "minf" => real(None, f64::min),
        "floor" => arg(args, 0).map(|value| Value::Float(value.number().floor())),
        "ceil" => arg(args, 0).map(|value| Value::Float(value.number().ceil())),
        "round" => arg(args, 1).map(|places| {
            let scale = 10_f64.powi(i32::try_from(places.integer()).unwrap_or(0));
            Value::Float((args[0].number() * scale).round() / scale)
        }),
        _ => return None,
    })
}
