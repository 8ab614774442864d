//! Digests of text.

use bumpalo::collections::Vec as ArenaVec;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::prepared::RowFunction;

/// Two hexadecimal digits; `ten` is the digit of ten.
pub(super) fn put_byte(out: &mut ArenaVec<'_, u8>, byte: u8, ten: u8) {
    for digit in [byte >> 4, byte & 15] {
        out.push(if digit < 10 { b'0' + digit } else { ten + digit - 10 });
    }
}

/// MD5(text).
pub const MD5: RowFunction = RowFunction::new("MD5", |rows| {
    rows.write(|(text,): (&[u8],), out| Md5::digest(text).iter().for_each(|byte| put_byte(out, *byte, b'a')));
});

/// SHA256(text).
pub const SHA256: RowFunction = RowFunction::new("SHA256", |rows| {
    rows.write(|(text,): (&[u8],), out| Sha256::digest(text).iter().for_each(|byte| put_byte(out, *byte, b'a')));
});

/// HASH(text): FNV-1a of the bytes, then mixed (the finalizer of MurmurHash3) so that short texts differ in every bit.
/// Part of what results mean: it never changes.
pub const HASH: RowFunction = RowFunction::new("HASH", |rows| {
    rows.each(|(text,): (&[u8],)| {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in text {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (hash ^ hash >> 33) as i64
    });
});
