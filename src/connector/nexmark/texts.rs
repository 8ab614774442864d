//! The texts of events. Those of few values are told by codes; the others are written behind one another.

use arrow_array::StringArray;

use super::Rule;
use super::events::{CHANNELS, Events, HOT_CHANNELS};
use crate::connector::draw::Draws;

const FIRST_NAMES: &[&str] =
    &["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: &[&str] = &["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: &[&str] =
    &["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: &[&str] = &["AZ", "CA", "ID", "OR", "WA", "WY"];
const CHANNEL_NAMES: [&str; HOT_CHANNELS as usize] = ["Google", "Facebook", "Baidu", "Apple"];

/// Least length of a random text.
const LENGTH_MIN: u64 = 3;
/// One in so many characters of it is a blank.
const BLANK_ONE_IN: u64 = 13;

/// What an event of each kind takes in the mean, in bytes: `extra` fills it up.
const PERSON_BYTES: u64 = 200;
const AUCTION_BYTES: u64 = 500;
const BID_BYTES: u64 = 100;
/// Letters that every `extra` is cut out of; any power of two well above [`AUCTION_BYTES`] will do.
const PADDING_BYTES: u64 = 1 << 16;

/// The texts behind the codes of a column.
pub(super) fn coded(rule: Rule, events: &Events) -> StringArray {
    let owned = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_string())).collect();
    match rule {
        Rule::City => owned(CITIES),
        Rule::State => owned(STATES),
        Rule::Channel => {
            let others = (0..CHANNELS).map(|i| format!("channel-{i}"));
            CHANNEL_NAMES.iter().map(|name| (*name).to_string()).chain(others).map(Some).collect()
        }
        Rule::Url => (0..HOT_CHANNELS + CHANNELS).map(|code| Some(url(events, code))).collect(),
        _ => {
            let full = |first: &&str| LAST_NAMES.iter().map(|last| Some(format!("{first} {last}"))).collect::<Vec<_>>();
            FIRST_NAMES.iter().flat_map(full).collect()
        }
    }
}

/// The code of an event's text.
pub(super) fn code(rule: Rule, events: &Events, event: u64) -> i32 {
    let code = match rule {
        Rule::City => events.city.draws(event).below(CITIES.len() as u64),
        Rule::State => events.state.draws(event).below(STATES.len() as u64),
        Rule::Channel | Rule::Url => events.channel(event),
        _ => events.name.draws(event).below((FIRST_NAMES.len() * LAST_NAMES.len()) as u64),
    };
    // Ten thousand at most.
    code as i32
}

/// The page that bids of a channel come from. Nine in ten of those that are not hot tell their channel.
fn url(events: &Events, code: u64) -> String {
    let mut draws = events.urls.draws(code);
    let mut text = b"https://www.nexmark.com/".to_vec();
    for _ in 0..3 {
        word(&mut draws, 5, b'_', &mut text);
        text.push(b'/');
    }
    text.extend_from_slice(b"item.htm?query=1");
    let mut url: String = text.iter().map(|&byte| char::from(byte)).collect();
    if code >= HOT_CHANNELS && draws.below(10) > 0 {
        let reversed = ((code - HOT_CHANNELS) as u32).reverse_bits() as i32;
        url.push_str(&format!("&channel_id={}", i64::from(reversed).abs()));
    }
    url
}

/// Bytes that a text takes, about.
pub(super) fn expected_bytes(rule: Rule) -> usize {
    match rule {
        Rule::AuctionExtra => 400,
        Rule::CreditCard => 19,
        _ => 80,
    }
}

/// Letters, with `blank` among them: at least [`LENGTH_MIN`], fewer than `length_max`.
fn word(draws: &mut Draws, length_max: u64, blank: u8, into: &mut Vec<u8>) {
    let length = LENGTH_MIN + draws.below(length_max - LENGTH_MIN);
    for _ in 0..length {
        let byte = if draws.below(BLANK_ONE_IN) == 0 { blank } else { b'a' + draws.below(26) as u8 };
        into.push(byte);
    }
}

/// As [`word`], with spaces, but none at the ends.
fn phrase(draws: &mut Draws, length_max: u64, into: &mut Vec<u8>) {
    let start = into.len();
    word(draws, length_max, b' ', into);
    while into.len() > start && into.last() == Some(&b' ') {
        into.pop();
    }
    let leading = into[start..].iter().take_while(|&&byte| byte == b' ').count();
    into.drain(start..start + leading);
}

pub(super) fn email(events: &Events, event: u64, into: &mut Vec<u8>) {
    let mut draws = events.email.draws(event);
    phrase(&mut draws, 7, into);
    into.push(b'@');
    phrase(&mut draws, 5, into);
    into.extend_from_slice(b".com");
}

pub(super) fn credit_card(events: &Events, event: u64, into: &mut Vec<u8>) {
    let mut draws = events.credit_card.draws(event);
    for group in 0..4 {
        if group > 0 {
            into.push(b' ');
        }
        let digits = draws.below(10_000);
        into.extend([1000, 100, 10, 1].map(|place| b'0' + (digits / place % 10) as u8));
    }
}

pub(super) fn item_name(events: &Events, event: u64, into: &mut Vec<u8>) {
    phrase(&mut events.item_name.draws(event), 20, into);
}

pub(super) fn description(events: &Events, event: u64, into: &mut Vec<u8>) {
    phrase(&mut events.description.draws(event), 100, into);
}

/// What fills events up to their size: pieces of one long random text, as in the published generator.
#[derive(Debug, Default)]
pub(super) struct Padding {
    letters: Vec<u8>,
}

impl Padding {
    pub(super) fn new(events: &Events) -> Self {
        let mut draws = events.extra.draws(u64::MAX);
        Self { letters: (0..PADDING_BYTES).map(|_| b'a' + draws.below(26) as u8).collect() }
    }

    pub(super) fn person(&self, events: &Events, event: u64, scratch: &mut Vec<u8>, into: &mut Vec<u8>) {
        scratch.clear();
        email(events, event, scratch);
        credit_card(events, event, scratch);
        let name = code(Rule::Name, events, event) as usize;
        let (first, last) = (FIRST_NAMES[name / LAST_NAMES.len()], LAST_NAMES[name % LAST_NAMES.len()]);
        let city = CITIES[code(Rule::City, events, event) as usize];
        let texts = scratch.len() + first.len() + 1 + last.len() + city.len() + 2;
        self.extra(events, event, PERSON_BYTES.saturating_sub(8 + texts as u64), into);
    }

    pub(super) fn auction(&self, events: &Events, event: u64, scratch: &mut Vec<u8>, into: &mut Vec<u8>) {
        scratch.clear();
        item_name(events, event, scratch);
        description(events, event, scratch);
        self.extra(events, event, AUCTION_BYTES.saturating_sub(6 * 8 + scratch.len() as u64), into);
    }

    pub(super) fn bid(&self, events: &Events, event: u64, into: &mut Vec<u8>) {
        self.extra(events, event, BID_BYTES - 4 * 8, into);
    }

    /// A text of `mean` letters, a fifth more or less.
    fn extra(&self, events: &Events, event: u64, mean: u64, into: &mut Vec<u8>) {
        let mut draws = events.extra.draws(event);
        let delta = (mean + 2) / 5;
        let length = (mean - delta + draws.below((2 * delta).max(1))) as usize;
        let start = draws.below(PADDING_BYTES - AUCTION_BYTES * 2) as usize;
        into.extend_from_slice(&self.letters[start..start + length]);
    }
}
