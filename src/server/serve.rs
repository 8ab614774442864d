//! A server: its jobs, the port, the look at all lanes once a second; and the end of them in order.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::api::Api;
use super::config::Config;
use super::cores::Cores;
use super::http::Listener;
use super::job::Host;
use super::jobs::Jobs;
use super::registry::Registry;
use crate::engine::{Engine, Roots};
use crate::error::{Error, Result};
use crate::sys::Topology;

/// Between two looks at the lanes.
const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// A running server.
pub struct Server {
    jobs: Arc<Jobs>,
    listener: Listener,
    sampler: Option<JoinHandle<()>>,
    done: Arc<Done>,
}

/// Set once, and waited for.
#[derive(Default)]
struct Done {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for so long; true if it is set.
    fn wait_for(&self, time: Duration) -> bool {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(set, time, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Server {
    /// Starts the jobs of the registry and the configuration, then listens. `log` takes lines for the log.
    pub fn start(config: Config, log: impl Fn(&str) + Send + Sync + 'static) -> Result<Self> {
        let registry = Registry::open(&config.data_directory)?;
        let mut engine = Engine::new();
        engine.confine(Roots::new(&config.roots)?);
        let cores = Cores::new(Topology::read(), config.cores.as_deref(), config.oversubscribe)?;
        let host = Host { engine, runtime: config.runtime, cores, log: Box::new(log) };
        let jobs = Jobs::start(host, registry, config.jobs)?;
        let api = Api::new(Arc::clone(&jobs), config.token);
        let listener = match Listener::start(config.listen, Arc::new(move |request| api.answer(request))) {
            Ok(listener) => listener,
            Err(error) => {
                // What runs already is ended in order.
                jobs.close();
                return Err(error);
            }
        };
        let done = Arc::<Done>::default();
        let (sampled, until) = (Arc::clone(&jobs), Arc::clone(&done));
        let sample = move || {
            while !until.wait_for(SAMPLE_PERIOD) {
                sampled.all().iter().for_each(|job| job.sample());
            }
        };
        let sampler = std::thread::Builder::new().name("corelane-sample".into()).spawn(sample);
        let sampler = sampler.map_err(|error| Error::Execution(format!("cannot start a thread: {error}")))?;
        Ok(Self { jobs, listener, sampler: Some(sampler), done })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Stops all jobs, waits until they have drained and committed, and stops listening. The same jobs run again when a
    /// server with the same data directory starts.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(sampler) = self.sampler.take() else { return };
        // Those who ask meanwhile are told that the server is stopping.
        self.jobs.close();
        self.listener.close();
        self.done.set();
        let _ = sampler.join();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
