//! The thread that asks the server, so that a server that is slow does not keep keys and screen waiting.
//!
//! Promises: there is one look at a time, so that a slow server is not asked more often than it answers; what is asked is
//! answered in order. The thread is not waited for: when the screen is left, a request under way is nobody's concern.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::client::Client;
use super::model::{Look, Shown};
use crate::error::{Error, Result};

/// Between two looks at the server.
const PERIOD: Duration = Duration::from_secs(1);
/// A look that takes longer than this is said to.
const SLOW: Duration = Duration::from_secs(2);

/// What is asked.
enum Question {
    /// How things are, and the details of a job.
    Look(Option<String>),
    /// Something to be done to a job.
    Steer(String, &'static str),
}

/// What is answered.
enum Answer {
    Looked(Result<Look>),
    Steered(Result<()>),
}

/// The screen's side of the thread.
pub(super) struct Asker {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    /// When the look under way was asked for.
    looking_since: Option<Instant>,
    looked_at: Option<Instant>,
    /// To look again as soon as that can be.
    again: bool,
}

impl Asker {
    /// Starts the thread.
    pub(super) fn start(client: Client) -> Result<Self> {
        let (questions, asked) = channel();
        let (told, answers) = channel();
        let body = move || {
            for question in asked {
                let answer = match question {
                    Question::Look(chosen) => Answer::Looked(Look::ask(&client, chosen)),
                    Question::Steer(job, verb) => Answer::Steered(client.post(&format!("/api/v1/jobs/{job}/{verb}"))),
                };
                if told.send(answer).is_err() {
                    return;
                }
            }
        };
        let spawned = std::thread::Builder::new().name("corelane-ask".into()).spawn(body);
        spawned.map_err(|error| Error::Execution(format!("cannot start a thread: {error}")))?;
        Ok(Self { questions, answers, looking_since: None, looked_at: None, again: true })
    }

    /// Takes in what was answered, and asks how things are if it is time to.
    pub(super) fn turn(&mut self, shown: &mut Shown) {
        while let Ok(answer) = self.answers.try_recv() {
            match answer {
                Answer::Looked(look) => {
                    self.looking_since = None;
                    // A server that does not answer may come back: it is said on the screen, and asked again.
                    shown.trouble = look.map(|look| shown.take(look)).err().map(|error| error.to_string());
                }
                Answer::Steered(done) => {
                    shown.refused = done.err().map(|error| error.to_string());
                    self.look_again();
                }
            }
        }
        match self.looking_since {
            Some(since) if since.elapsed() >= SLOW && shown.trouble.is_none() => {
                shown.trouble = Some(format!("{} takes long to answer: what is shown is old", shown.url));
            }
            Some(_) => {}
            None if self.again || self.looked_at.is_none_or(|at| at.elapsed() >= PERIOD) => {
                self.again = false;
                (self.looked_at, self.looking_since) = (Some(Instant::now()), Some(Instant::now()));
                self.ask(Question::Look(shown.chosen.clone()));
            }
            None => {}
        }
    }

    /// What is on the screen is to be asked for without waiting for its time.
    pub(super) fn look_again(&mut self) {
        self.again = true;
    }

    /// Asks for something to be done to the chosen job.
    pub(super) fn steer(&mut self, shown: &Shown, verb: &'static str) {
        if let Some(index) = shown.index() {
            self.ask(Question::Steer(shown.list.jobs[index].name.clone(), verb));
        }
    }

    fn ask(&self, question: Question) {
        // The thread ends with this side of it only.
        let _ = self.questions.send(question);
    }
}
