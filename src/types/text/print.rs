//! Values to text, in the forms of the table in [`super`], each appended in one piece.

use super::calendar::{DAY_US, civil_from_days};

/// Where text goes: bytes that grow.
pub trait Sink {
    /// Appends.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// `00` to `99`, one behind the other.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut i = 0;
    while i < 100 {
        pairs[2 * i] = b'0' + (i / 10) as u8;
        pairs[2 * i + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
};

/// Text written from its end to its beginning, as digits come. Room for a sign, a point and the 39 digits of 128 bits.
struct Backwards {
    bytes: [u8; 48],
    start: usize,
}

impl Backwards {
    fn new() -> Self {
        Self { bytes: [0; 48], start: 48 }
    }

    fn byte(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    fn pair(&mut self, value: u64) {
        let at = value as usize * 2;
        self.start -= 2;
        self.bytes[self.start..self.start + 2].copy_from_slice(&PAIRS[at..at + 2]);
    }

    /// At least `width` digits.
    fn digits(&mut self, value: u64, width: usize) {
        let end = self.start;
        let mut rest = value;
        while rest >= 100 {
            self.pair(rest % 100);
            rest /= 100;
        }
        if rest >= 10 {
            self.pair(rest)
        } else {
            self.byte(b'0' + rest as u8)
        }
        while end - self.start < width {
            self.byte(b'0');
        }
    }

    fn wide_digits(&mut self, value: u128, width: usize) {
        const PIECE: u128 = 10_u128.pow(19);
        let end = self.start;
        let mut rest = value;
        while rest >= PIECE {
            self.digits((rest % PIECE) as u64, 19);
            rest /= PIECE;
        }
        self.digits(rest as u64, width.saturating_sub(end - self.start));
    }

    /// `HH:MM:SS`, and six digits of fraction if it is not zero.
    fn time(&mut self, us: u64) {
        let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
        if fraction > 0 {
            self.digits(fraction, 6);
            self.byte(b'.');
        }
        self.pair(seconds % 60);
        self.byte(b':');
        self.pair(seconds / 60 % 60);
        self.byte(b':');
        self.digits(seconds / 3600, 2);
    }

    fn date(&mut self, days: i64) {
        let date = civil_from_days(days);
        self.pair(u64::from(date.day));
        self.byte(b'-');
        self.pair(u64::from(date.month));
        self.byte(b'-');
        self.digits(date.year.unsigned_abs(), 4);
        match date.year {
            ..0 => self.byte(b'-'),
            0..=9999 => {}
            _ => self.byte(b'+'),
        }
    }

    fn put(self, out: &mut impl Sink) {
        out.put(&self.bytes[self.start..]);
    }
}

/// BOOLEAN.
pub fn boolean(out: &mut impl Sink, value: bool) {
    out.put(if value { b"true" } else { b"false" });
}

/// INT and BIGINT.
pub fn integer(out: &mut impl Sink, value: i64) {
    let mut text = Backwards::new();
    text.digits(value.unsigned_abs(), 1);
    if value < 0 {
        text.byte(b'-');
    }
    text.put(out);
}

/// DOUBLE.
pub fn double(out: &mut impl Sink, value: f64) {
    out.put(ryu::Buffer::new().format(value).as_bytes());
}

/// DECIMAL.
pub fn decimal(out: &mut impl Sink, value: i128, scale: u8) {
    let scale = usize::from(scale);
    let mut text = Backwards::new();
    text.wide_digits(value.unsigned_abs(), scale + 1);
    if scale > 0 {
        // The digits before the point move over to make room for it.
        let point = text.bytes.len() - scale;
        text.bytes.copy_within(text.start..point, text.start - 1);
        text.bytes[point - 1] = b'.';
        text.start -= 1;
    }
    if value < 0 {
        text.byte(b'-');
    }
    text.put(out);
}

/// DATE.
pub fn date(out: &mut impl Sink, days: i32) {
    let mut text = Backwards::new();
    text.date(i64::from(days));
    text.put(out);
}

/// TIMESTAMP.
pub fn timestamp(out: &mut impl Sink, us: i64) {
    let mut text = Backwards::new();
    text.byte(b'Z');
    text.time(us.rem_euclid(DAY_US).unsigned_abs());
    text.byte(b'T');
    text.date(us.div_euclid(DAY_US));
    text.put(out);
}

/// INTERVAL.
pub fn interval(out: &mut impl Sink, us: i64) {
    let mut text = Backwards::new();
    text.time(us.unsigned_abs());
    if us < 0 {
        text.byte(b'-');
    }
    text.put(out);
}
