//! What an event says, by its number: times, ids, prices. The names of constants and their values are those of the
//! published generator.

use crate::connector::draw::{Draws, Stream};

/// Of so many events each table has its part, in this order.
const TOTAL: u64 = PERSONS + AUCTIONS + BIDS;
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;
const BIDS: u64 = 46;

const FIRST_PERSON_ID: u64 = 1000;
const FIRST_AUCTION_ID: u64 = 1000;
const FIRST_CATEGORY_ID: u64 = 10;
const CATEGORIES: u64 = 5;
/// The last so many people may sell and bid, and so many who are yet to register.
const ACTIVE_PEOPLE: u64 = 1000;
const PERSON_ID_LEAD: u64 = 10;
/// The last so many auctions are bid on, and so many that are yet to open.
const IN_FLIGHT_AUCTIONS: u64 = 100;
const AUCTION_ID_LEAD: u64 = 10;
/// One in so many people and auctions is hot ...
const HOT_ONE_IN: u64 = 100;
/// ... and all but one in so many sellers, bidders and bids fall to the hot one.
const HOT_SELLERS_RATIO: u64 = 4;
const HOT_BIDDERS_RATIO: u64 = 4;
const HOT_AUCTION_RATIO: u64 = 2;
/// All but one in so many channels are one of the four hot ones.
const HOT_CHANNELS_RATIO: u64 = 2;
/// Hot channels.
pub(super) const HOT_CHANNELS: u64 = 4;
/// Other channels.
pub(super) const CHANNELS: u64 = 10_000;

/// One of the three kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Person,
    Auction,
    Bid,
}

impl Table {
    pub(super) const ALL: [(&str, Self); 3] =
        [("person", Self::Person), ("auction", Self::Auction), ("bid", Self::Bid)];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Auction => "auction",
            Self::Bid => "bid",
        }
    }

    /// First event of it among [`TOTAL`], and how many they are.
    const fn part(self) -> (u64, u64) {
        match self {
            Self::Person => (0, PERSONS),
            Self::Auction => (PERSONS, AUCTIONS),
            Self::Bid => (PERSONS + AUCTIONS, BIDS),
        }
    }

    /// Its share of all events.
    pub(super) fn share(self) -> f64 {
        self.part().1 as f64 / TOTAL as f64
    }

    /// Its rows among the first `events`.
    pub(super) fn rows(self, events: u64) -> u64 {
        let (first, count) = self.part();
        events / TOTAL * count + (events % TOTAL).saturating_sub(first).min(count)
    }

    /// The event that is its row of this number.
    #[inline]
    pub(super) fn event(self, row: u64) -> u64 {
        // Each arm divides by a constant.
        match self {
            Self::Person => row * TOTAL,
            Self::Auction => row / AUCTIONS * TOTAL + PERSONS + row % AUCTIONS,
            Self::Bid => row / BIDS * TOTAL + PERSONS + AUCTIONS + row % BIDS,
        }
    }
}

/// The random numbers of each column, and how event time runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Events {
    start_us: i64,
    spacing_us: i64,
    pub(super) name: Stream,
    pub(super) email: Stream,
    pub(super) credit_card: Stream,
    pub(super) city: Stream,
    pub(super) state: Stream,
    pub(super) item_name: Stream,
    pub(super) description: Stream,
    pub(super) extra: Stream,
    pub(super) urls: Stream,
    initial_bid: Stream,
    reserve: Stream,
    expires: Stream,
    seller: Stream,
    category: Stream,
    auction: Stream,
    bidder: Stream,
    price: Stream,
    channel: Stream,
}

impl Events {
    pub(super) fn new(seed: u64, start_us: i64, spacing_us: i64) -> Self {
        let stream = |name| Stream::new(seed, name);
        Self {
            start_us,
            spacing_us,
            name: stream("name"),
            email: stream("email_address"),
            credit_card: stream("credit_card"),
            city: stream("city"),
            state: stream("state"),
            item_name: stream("item_name"),
            description: stream("description"),
            extra: stream("extra"),
            urls: stream("urls"),
            initial_bid: stream("initial_bid"),
            reserve: stream("reserve"),
            expires: stream("expires"),
            seller: stream("seller"),
            category: stream("category"),
            auction: stream("auction"),
            bidder: stream("bidder"),
            price: stream("price"),
            channel: stream("channel"),
        }
    }

    /// When it happens, in whole milliseconds.
    #[inline]
    pub(super) fn time_us(&self, event: u64) -> i64 {
        let steps_us = i64::try_from(event).unwrap_or(i64::MAX).saturating_mul(self.spacing_us);
        self.start_us.saturating_add(steps_us / 1000 * 1000)
    }

    pub(super) fn person_id(&self, event: u64) -> i64 {
        (last_person(event) + FIRST_PERSON_ID) as i64
    }

    pub(super) fn auction_id(&self, event: u64) -> i64 {
        (last_auction(event) + FIRST_AUCTION_ID) as i64
    }

    pub(super) fn initial_bid(&self, event: u64) -> i64 {
        price(&mut self.initial_bid.draws(event))
    }

    pub(super) fn reserve(&self, event: u64) -> i64 {
        self.initial_bid(event) + price(&mut self.reserve.draws(event))
    }

    /// When an auction closes: in the mean when as many auctions have opened as are in flight.
    pub(super) fn expires_us(&self, event: u64) -> i64 {
        let now_us = self.time_us(event);
        let then_us = self.time_us(event + IN_FLIGHT_AUCTIONS * TOTAL / AUCTIONS);
        let horizon_ms = then_us.saturating_sub(now_us) / 1000;
        let length_ms = 1 + self.expires.draws(event).below(horizon_ms.saturating_mul(2).max(1) as u64);
        now_us.saturating_add((length_ms as i64).saturating_mul(1000))
    }

    pub(super) fn seller(&self, event: u64) -> i64 {
        let mut draws = self.seller.draws(event);
        let seller = match draws.below(HOT_SELLERS_RATIO) {
            0 => a_person(event, &mut draws),
            _ => last_person(event) / HOT_ONE_IN * HOT_ONE_IN,
        };
        (seller + FIRST_PERSON_ID) as i64
    }

    pub(super) fn category(&self, event: u64) -> i64 {
        (FIRST_CATEGORY_ID + self.category.draws(event).below(CATEGORIES)) as i64
    }

    /// The auction that a bid is for.
    pub(super) fn auction(&self, event: u64) -> i64 {
        let mut draws = self.auction.draws(event);
        let last = last_auction(event);
        let auction = match draws.below(HOT_AUCTION_RATIO) {
            0 => {
                let least = last.saturating_sub(IN_FLIGHT_AUCTIONS);
                least + draws.below(last - least + 1 + AUCTION_ID_LEAD)
            }
            _ => last / HOT_ONE_IN * HOT_ONE_IN,
        };
        (auction + FIRST_AUCTION_ID) as i64
    }

    pub(super) fn bidder(&self, event: u64) -> i64 {
        let mut draws = self.bidder.draws(event);
        let bidder = match draws.below(HOT_BIDDERS_RATIO) {
            0 => a_person(event, &mut draws),
            // The second of the hundred, so that the hot bidder is not the hot seller.
            _ => last_person(event) / HOT_ONE_IN * HOT_ONE_IN + 1,
        };
        (bidder + FIRST_PERSON_ID) as i64
    }

    pub(super) fn price(&self, event: u64) -> i64 {
        price(&mut self.price.draws(event))
    }

    /// The channel of a bid: a hot one below [`HOT_CHANNELS`], else one of [`CHANNELS`].
    pub(super) fn channel(&self, event: u64) -> u64 {
        let mut draws = self.channel.draws(event);
        match draws.below(HOT_CHANNELS_RATIO) {
            0 => HOT_CHANNELS + draws.below(CHANNELS),
            _ => draws.below(HOT_CHANNELS),
        }
    }
}

/// Number, from 0, of the last person who has registered: one opens each [`TOTAL`].
fn last_person(event: u64) -> u64 {
    event / TOTAL
}

/// Number, from 0, of the last auction that has opened. Not asked before the first one.
fn last_auction(event: u64) -> u64 {
    event / TOTAL * AUCTIONS + (event % TOTAL - PERSONS).min(AUCTIONS - 1)
}

/// One of the active people, or of those to come.
fn a_person(event: u64, draws: &mut Draws) -> u64 {
    let people = last_person(event) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + draws.below(active + PERSON_ID_LEAD)
}

/// Cents, from 100 to a hundred million, evenly over their logarithm.
fn price(draws: &mut Draws) -> i64 {
    // libm's, so that the last bit does not depend on the host.
    (libm::pow(10.0, draws.fraction() * 6.0) * 100.0).round() as i64
}
