//! Functions of numbers. What IEEE 754 defines to the bit is done by the CPU, the rest by `libm` in Rust: the same bits
//! on every host. An argument that has no real answer refuses the row; results too great are infinite.

use super::prepared::RowFunction;
use super::rows::Failure;

macro_rules! double {
    ($($(#[$doc:meta])* $name:ident = $sql:literal, $f:expr;)+) => {
        $($(#[$doc])* pub const $name: RowFunction = RowFunction::new($sql, |rows| {
            rows.each(|(x,): (f64,)| $f(x));
        });)+
    };
}

double! {
    /// CBRT(x).
    CBRT = "CBRT", libm::cbrt;
    /// EXP(x).
    EXP = "EXP", libm::exp;
    /// SIN(x).
    SIN = "SIN", finite(libm::sin);
    /// COS(x).
    COS = "COS", finite(libm::cos);
    /// TAN(x).
    TAN = "TAN", finite(libm::tan);
    /// COT(x).
    COT = "COT", finite(|x| 1.0 / libm::tan(x));
    /// ATAN(x).
    ATAN = "ATAN", libm::atan;
    /// SINH(x).
    SINH = "SINH", libm::sinh;
    /// COSH(x).
    COSH = "COSH", libm::cosh;
    /// TANH(x).
    TANH = "TANH", libm::tanh;
    /// ASINH(x).
    ASINH = "ASINH", libm::asinh;
    /// DEGREES(x).
    DEGREES = "DEGREES", |x: f64| x * (180.0 / std::f64::consts::PI);
    /// RADIANS(x).
    RADIANS = "RADIANS", |x: f64| x * (std::f64::consts::PI / 180.0);
    /// TRUNC(x).
    TRUNC = "TRUNC", f64::trunc;
    /// SQRT(x).
    SQRT = "SQRT", |x: f64| within(x >= 0.0, x, f64::sqrt, "the number is below zero");
    /// LN(x).
    LN = "LN", |x: f64| within(x > 0.0, x, libm::log, NOT_POSITIVE);
    /// LOG10(x).
    LOG10 = "LOG10", |x: f64| within(x > 0.0, x, libm::log10, NOT_POSITIVE);
    /// LOG2(x).
    LOG2 = "LOG2", |x: f64| within(x > 0.0, x, libm::log2, NOT_POSITIVE);
    /// ASIN(x).
    ASIN = "ASIN", |x: f64| within(x.abs() <= 1.0, x, libm::asin, NO_COSINE);
    /// ACOS(x).
    ACOS = "ACOS", |x: f64| within(x.abs() <= 1.0, x, libm::acos, NO_COSINE);
    /// ACOSH(x).
    ACOSH = "ACOSH", |x: f64| within(x >= 1.0, x, libm::acosh, "the number is below 1");
    /// ATANH(x).
    ATANH = "ATANH", |x: f64| within(x.abs() <= 1.0, x, libm::atanh, NO_COSINE);
    /// ISNAN(x).
    ISNAN = "ISNAN", f64::is_nan;
    /// ISINF(x).
    ISINF = "ISINF", f64::is_infinite;
    /// ISFINITE(x).
    ISFINITE = "ISFINITE", f64::is_finite;
    /// SIGN(x); 0 of NaN.
    SIGN = "SIGN", |x: f64| i64::from(x > 0.0) - i64::from(x < 0.0);
}

const NOT_POSITIVE: &str = "the number is not above zero";
const NO_COSINE: &str = "the number is not between -1 and 1";

/// `f(x)` where it is defined; of NaN it is NaN.
fn within(defined: bool, x: f64, f: impl Fn(f64) -> f64, problem: &'static str) -> Result<f64, Failure> {
    if defined || x.is_nan() { Ok(f(x)) } else { Err(Failure::Refused(problem)) }
}

/// `f` of an angle that is not infinite.
fn finite(f: impl Fn(f64) -> f64) -> impl Fn(f64) -> Result<f64, Failure> {
    move |x| within(!x.is_infinite(), x, &f, "the angle is infinite")
}

/// SIGN of a whole number.
pub const SIGN_WHOLE: RowFunction = RowFunction::new("SIGN", |rows| rows.each(|(x,): (i64,)| x.signum()));

/// SIGN of a DECIMAL.
pub const SIGN_DECIMAL: RowFunction = RowFunction::new("SIGN", |rows| rows.each(|(x,): (i128,)| x.signum() as i64));

/// `10^digits`, or `None` if no number of 128 bits has so many digits.
fn power_of_ten(digits: i128) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(digits).ok()?)
}

/// TRUNC of a DECIMAL to digits behind the point (or, negative, before it).
pub const TRUNC_DECIMAL: RowFunction = RowFunction::new("TRUNC", |rows| {
    let scale = i128::from(rows.scale(0));
    rows.each(|(x, digits): (i128, i64)| match scale - i128::from(digits) {
        ..=0 => x,
        dropped => power_of_ten(dropped).map_or(0, |unit| x - x % unit),
    });
});

/// TRUNC of a whole number to digits before the point (negative; others change nothing).
pub const TRUNC_WHOLE: RowFunction = RowFunction::new("TRUNC", |rows| {
    rows.each(|(x, digits): (i64, i64)| match digits {
        0.. => x,
        _ => {
            let x = i128::from(x);
            power_of_ten(-i128::from(digits)).map_or(0, |unit| x - x % unit) as i64
        }
    });
});

/// LOG(base, x).
pub const LOG: RowFunction = RowFunction::new("LOG", |rows| {
    rows.each(|(base, x): (f64, f64)| {
        if base <= 0.0 || x <= 0.0 {
            return Err(Failure::Refused(NOT_POSITIVE));
        }
        if base == 1.0 {
            return Err(Failure::Refused("the base is 1"));
        }
        Ok(libm::log(x) / libm::log(base))
    });
});

/// POWER(x, y).
pub const POWER: RowFunction = RowFunction::new("POWER", |rows| {
    rows.each(|(x, y): (f64, f64)| {
        if x < 0.0 && y.is_finite() && y.fract() != 0.0 {
            return Err(Failure::Refused("a number below zero has no such power"));
        }
        if x == 0.0 && y < 0.0 {
            return Err(Failure::Refused("zero has no negative power"));
        }
        Ok(libm::pow(x, y))
    });
});

/// ATAN2(y, x).
pub const ATAN2: RowFunction = RowFunction::new("ATAN2", |rows| rows.each(|(y, x): (f64, f64)| libm::atan2(y, x)));

fn gcd(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// GCD(a, b): never negative.
pub const GCD: RowFunction = RowFunction::new("GCD", |rows| {
    rows.each(|(a, b): (i64, i64)| i64::try_from(gcd(a, b)).map_err(|_| Failure::Overflow));
});

/// LCM(a, b): never negative; 0 if either is 0.
pub const LCM: RowFunction = RowFunction::new("LCM", |rows| {
    rows.each(|(a, b): (i64, i64)| {
        if a == 0 || b == 0 {
            return Ok(0);
        }
        let least = (a.unsigned_abs() / gcd(a, b)).checked_mul(b.unsigned_abs());
        least.and_then(|least| i64::try_from(least).ok()).ok_or(Failure::Overflow)
    });
});

/// FACTORIAL(n).
pub const FACTORIAL: RowFunction = RowFunction::new("FACTORIAL", |rows| {
    rows.each(|(n,): (i64,)| match n {
        ..0 => Err(Failure::Refused("the number is below zero")),
        0..=20 => Ok((1..=n).product::<i64>()),
        _ => Err(Failure::Overflow),
    });
});

/// WIDTH_BUCKET(x, low, high, count): 1 to `count`, 0 below `low`, `count + 1` from `high` on; `low` may be the greater.
pub const WIDTH_BUCKET: RowFunction = RowFunction::new("WIDTH_BUCKET", |rows| {
    rows.each(|(x, low, high, count): (f64, f64, f64, i64)| {
        if count < 1 || count == i64::MAX {
            return Err(Failure::Refused("the number of buckets is not above zero"));
        }
        if x.is_nan() || !low.is_finite() || !high.is_finite() || low == high {
            return Err(Failure::Refused("the bounds are equal, or one is no finite number"));
        }
        let (below, beyond) = if low < high { (x < low, x >= high) } else { (x > low, x <= high) };
        if below {
            return Ok(0);
        }
        if beyond {
            return Ok(count + 1);
        }
        // Halves, so that the difference of great numbers stays finite.
        let share = (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        Ok(((share * count as f64) as i64).min(count - 1) + 1)
    });
});
