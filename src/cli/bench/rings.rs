//! What handing a value from one thread to another takes: one way without a pause, and there and back.
//!
//! Contenders give both ends of a bounded queue; each end waits in its own way while the queue is full or empty. The two
//! threads are pinned to two cores where the host has them. Every value is looked at when it arrives.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Barrier, OnceLock};

use super::arguments::RingsArguments;
use super::measurement::{Measurement, Outlet, machine_line, table};
use crate::error::{Error, Result};
use crate::limits::RING_SLOTS;
use crate::ring::{Consumer, Producer, WaitMode, Waiter, Wakeup, ring};
use crate::sys::{self, Topology, parse_cpu_list};

/// The end that values go in at.
pub trait Sending: Send {
    /// Called first, on the thread that sends.
    fn start(&mut self) {}
    /// Sends, waiting while the queue is full.
    fn send(&mut self, value: u64);
}

/// The end that values come out at.
pub trait Receiving: Send {
    /// Called first, on the thread that receives.
    fn start(&mut self) {}
    /// The next value, waiting while the queue is empty.
    fn receive(&mut self) -> u64;
}

/// How the contenders are run.
pub struct Course {
    /// The CPU of each thread, if they are pinned.
    pub cpus: Option<[usize; 2]>,
    /// Values one way; a tenth of them there and back.
    pub values: u64,
    /// Slots of a queue.
    pub slots: usize,
}

/// The figures of a contender: nanoseconds a value one way, and there and back.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// By round.
    pub one_way_ns: Vec<f64>,
    /// By round.
    pub round_trip_ns: Vec<f64>,
}

impl Course {
    /// One round of a contender, whose queues `make` makes.
    pub fn round<S: Sending, R: Receiving>(&self, make: impl Fn(usize) -> (S, R), times: &mut Times) -> Result<()> {
        let Self { values, slots, .. } = *self;
        let (mut to, mut from) = make(slots);
        let one_way_ns = self.together(
            move |go| {
                to.start();
                go();
                (0..values).for_each(|value| to.send(value));
                to
            },
            move |go| {
                from.start();
                go();
                (0..values).fold(true, |right, value| right & (from.receive() == value))
            },
        )?;
        times.one_way_ns.push(one_way_ns as f64 / values as f64);
        let trips = (values / 10).max(1);
        let ((mut to, mut from), (mut back, mut returned)) = (make(slots), make(slots));
        let round_trip_ns = self.together(
            move |go| {
                to.start();
                returned.start();
                go();
                for value in 0..trips {
                    to.send(value);
                    assert_eq!(returned.receive(), value, "what comes back is what was sent");
                }
                (to, returned)
            },
            move |go| {
                from.start();
                back.start();
                go();
                (0..trips).fold(true, |right, value| {
                    let received = from.receive();
                    back.send(received);
                    right & (received == value)
                })
            },
        )?;
        times.round_trip_ns.push(round_trip_ns as f64 / trips as f64);
        Ok(())
    }

    /// Runs both on threads of their own, which start together; the time from when the first of them started to when both
    /// were done, by their own clocks: whoever waits for them may be woken late. The first keeps its ends until then,
    /// because a queue may end with them.
    fn together<T: Send>(
        &self,
        first: impl FnOnce(&dyn Fn()) -> T + Send,
        second: impl FnOnce(&dyn Fn()) -> bool + Send,
    ) -> Result<u64> {
        let barrier = Barrier::new(2);
        let started = [OnceLock::new(), OnceLock::new()];
        let pin = |index: usize| self.cpus.map_or(Ok(()), |cpus| sys::pin_current_thread(cpus[index]));
        let go = |index: usize| {
            barrier.wait();
            started[index].get_or_init(sys::monotonic_ns);
        };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                let pinned = pin(0);
                let ends = first(&|| go(0));
                (pinned, sys::monotonic_ns(), ends)
            });
            let second = scope.spawn(|| {
                let pinned = pin(1);
                let right = second(&|| go(1));
                (pinned, sys::monotonic_ns(), right)
            });
            let second = second.join();
            (first.join(), second)
        });
        let (Ok((first_pinned, first_ended, _)), Ok((second_pinned, second_ended, right))) = (first, second) else {
            return Err(Error::Execution("a thread of the bench panicked".into()));
        };
        first_pinned.and(second_pinned)?;
        if !right {
            return Err(Error::Execution("values did not arrive in the order in which they were sent".into()));
        }
        let ended = first_ended.max(second_ended);
        let started = started.iter().filter_map(OnceLock::get).copied().min().unwrap_or(ended);
        Ok((ended - started).max(1))
    }
}

/// An end of a corelane ring and the way its thread waits. The bell of a thread that has two ends has one owner, so each
/// end here has a bell of its own.
struct RingEnd<E> {
    end: E,
    mode: WaitMode,
    bell: Wakeup,
    waiter: Option<Waiter>,
}

impl<E> RingEnd<E> {
    fn claim(&mut self) {
        self.waiter = Some(Waiter::claim(self.mode, &self.bell));
    }

    fn waiter(waiter: &mut Option<Waiter>) -> &mut Waiter {
        waiter.as_mut().expect("the thread has started")
    }
}

impl Sending for RingEnd<Producer<u64>> {
    fn start(&mut self) {
        self.claim();
    }

    fn send(&mut self, mut value: u64) {
        let waiter = Self::waiter(&mut self.waiter);
        while let Err(back) = self.end.push(value) {
            value = back;
            waiter.idle();
        }
        waiter.worked();
    }
}

impl Receiving for RingEnd<Consumer<u64>> {
    fn start(&mut self) {
        self.claim();
    }

    fn receive(&mut self) -> u64 {
        let waiter = Self::waiter(&mut self.waiter);
        loop {
            if let Some(value) = self.end.pop() {
                waiter.worked();
                return value;
            }
            waiter.idle();
        }
    }
}

fn corelane_ring(mode: WaitMode) -> impl Fn(usize) -> (RingEnd<Producer<u64>>, RingEnd<Consumer<u64>>) {
    move |slots| {
        let (from, to) = (Wakeup::new(), Wakeup::new());
        let (producer, consumer) = ring(slots, &from, &to);
        (
            RingEnd { end: producer, mode, bell: from, waiter: None },
            RingEnd { end: consumer, mode, bell: to, waiter: None },
        )
    }
}

impl Sending for SyncSender<u64> {
    fn send(&mut self, value: u64) {
        SyncSender::send(self, value).expect("the receiver is there");
    }
}

impl Receiving for Receiver<u64> {
    fn receive(&mut self) -> u64 {
        self.recv().expect("the sender is there")
    }
}

/// The contenders of the command: corelane's ring in each wait mode, and the channel of the standard library.
const CONTENDERS: [(&str, Option<WaitMode>); 4] = [
    ("corelane spin", Some(WaitMode::Spin)),
    ("corelane backoff", Some(WaitMode::Backoff)),
    ("corelane park", Some(WaitMode::Park)),
    ("std sync_channel", None),
];

/// Runs one round of each of the command's contenders, in turn.
pub fn own_round(course: &Course, times: &mut [Times; 4]) -> Result<()> {
    for ((_, mode), times) in CONTENDERS.iter().zip(times) {
        match mode {
            Some(mode) => course.round(corelane_ring(*mode), times)?,
            None => course.round(sync_channel, times)?,
        }
    }
    Ok(())
}

/// The figures of contenders by name, those of the command and `others`, against corelane's with `backoff`.
pub fn figures(own: [Times; 4], others: Vec<(String, Times)>) -> Vec<Measurement> {
    let own = CONTENDERS.iter().map(|(name, _)| name.to_string()).zip(own);
    let mut one_way = Vec::new();
    let mut round_trip = Vec::new();
    for (name, times) in own.chain(others) {
        one_way.push(Measurement::new("rings", format!("{name}, hand-off"), "ns", times.one_way_ns));
        round_trip.push(Measurement::new("rings", format!("{name}, round trip"), "ns", times.round_trip_ns));
    }
    let over_backoff = |figures: Vec<Measurement>| {
        let base = figures[1].clone();
        figures.into_iter().map(move |figure| figure.over(&base))
    };
    over_backoff(one_way).chain(over_backoff(round_trip)).collect()
}

/// The figures as a table.
pub fn lines(figures: &[Measurement]) -> String {
    let row = |figure: &Measurement| {
        let spread = figure.spread();
        vec![
            figure.case.clone(),
            format!("{:.1}", spread.median),
            format!("{:.1}-{:.1}", spread.least, spread.greatest),
            format!("{:.2}", figure.ratio.unwrap_or(1.0)),
        ]
    };
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    table(&["case", "ns", "least-greatest", "ratio to backoff"], &rows)
}

/// Two physical cores, or those asked for; `None` where there is one only.
pub(super) fn two_cpus(cores: Option<&str>) -> Result<Option<[usize; 2]>> {
    let cores = cores.map(parse_cpu_list).transpose()?;
    if let Some(cores) = &cores
        && cores.len() != 2
    {
        return Err(Error::Config(format!("--cores names {} CPUs: expected two, as in 2,3", cores.len())));
    }
    let topology = Topology::read();
    if cores.is_none() && topology.placement_order().len() < 2 {
        return Ok(None);
    }
    let cpus = topology.placement(2, cores.as_deref())?.cpus;
    Ok(Some([cpus[0], cpus[1]]))
}

/// Measures the command's contenders.
pub(super) fn rings(arguments: &RingsArguments) -> Result<()> {
    let outlet = Outlet::open(arguments.json.as_deref())?;
    let (values, rounds) = if arguments.quick { (2_000, 1) } else { (arguments.values, arguments.rounds) };
    let course = Course { cpus: two_cpus(arguments.cores.as_deref())?, values, slots: RING_SLOTS };
    let mut times: [Times; 4] = Default::default();
    for _ in 0..rounds {
        own_round(&course, &mut times)?;
    }
    outlet.say(&machine_line())?;
    let place = course.cpus.map_or("one CPU: threads take turns".into(), |[a, b]| format!("on CPUs {a} and {b}"));
    outlet.say(&format!("{values} values, queues of {RING_SLOTS} slots, {place}; median of {rounds}\n\n"))?;
    let figures = figures(times, Vec::new());
    outlet.say(&lines(&figures))?;
    outlet.finish(&figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every contender hands all values over, in order, also through a queue of one slot.
    #[test]
    fn every_contender_arrives() {
        let mut times: [Times; 4] = Default::default();
        own_round(&Course { cpus: None, values: 500, slots: 1 }, &mut times).unwrap();
        let figures = figures(times, Vec::new());
        assert_eq!(figures.len(), 8);
        assert!(figures.iter().all(|figure| figure.value() > 0.0), "{figures:?}");
        assert_eq!(figures[5].case, "corelane backoff, round trip");
    }

    /// A queue that loses its order is found out.
    #[test]
    fn values_out_of_order_void_the_round() {
        struct Wrong(Receiver<u64>);
        impl Receiving for Wrong {
            fn receive(&mut self) -> u64 {
                self.0.receive() ^ 1
            }
        }
        let make = |slots| {
            let (to, from) = sync_channel(slots);
            (to, Wrong(from))
        };
        let outcome = Course { cpus: None, values: 4, slots: 8 }.round(make, &mut Times::default());
        assert!(outcome.unwrap_err().to_string().contains("order"));
    }
}
