//! Hashes passwords with argon2id (RFC 9106, parameters of the OWASP cheat sheet) on few threads with a bounded queue:
//! a flood of logins costs as much memory and processor time as is set here, and not more.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use hongyan_domain::environment::Pending;
use hongyan_logic::{Overloaded, Passwords};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// What an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordOptions {
    /// Threads that hash; each uses `memory_kib` while it does.
    pub threads: usize,
    /// Hashes that may wait; more are refused with `TRY_LATER`.
    pub queue_max: usize,
    /// Memory of one hash.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl PasswordOptions {
    /// What the algorithm allows.
    pub fn check(&self) -> Result<()> {
        ensure!(self.memory_kib >= 8 * 1024, "passwords.memory_kib below 8192 would make passwords easy to guess");
        self.argon2().map(|_| ())
    }

    fn argon2(&self) -> Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, 1, None).ok().context("passwords: out of range")?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// The pool.
pub struct PasswordPool {
    jobs: SyncSender<Job>,
    /// Of a password that nobody knows: checked when there is no account, so that the time tells nothing.
    decoy: Arc<str>,
}

impl PasswordPool {
    /// Starts the threads. They end with the pool.
    pub fn start(options: &PasswordOptions) -> Result<Self> {
        let argon2 = options.argon2()?;
        let mut unknown = [0; 32];
        aws_lc_rs::rand::fill(&mut unknown).ok().context("the system gives no randomness")?;
        let decoy = hash(&argon2, &crate::secret::hex(&unknown)).into();
        let (jobs, queue) = sync_channel(options.queue_max);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..options.threads {
            let (queue, argon2) = (Arc::clone(&queue), argon2.clone());
            std::thread::Builder::new().name(format!("password-{number}")).spawn(move || work(&queue, &argon2))?;
        }
        Ok(Self { jobs, decoy })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |argon2| {
            // Whoever asked may have gone meanwhile: then nothing is worth the work.
            if !done.is_closed() {
                let _ = done.send(job(argon2));
            }
        });
        self.jobs.try_send(job).map_err(|_| Overloaded)?;
        answer.await.map_err(|_| Overloaded)
    }
}

impl Passwords for PasswordPool {
    fn hash(&self, password: String) -> Pending<'_, Result<String, Overloaded>> {
        Box::pin(self.run(move |argon2| hash(argon2, &password)))
    }

    fn verify(&self, password: String, known: Option<String>) -> Pending<'_, Result<bool, Overloaded>> {
        let decoy = Arc::clone(&self.decoy);
        Box::pin(self.run(move |argon2| {
            let right = verify(argon2, &password, known.as_deref().unwrap_or(&decoy));
            right && known.is_some()
        }))
    }
}

fn work(queue: &Mutex<Receiver<Job>>, argon2: &Argon2<'static>) {
    loop {
        // The lock is held while waiting, which is as good as waiting for the lock.
        let job = queue.lock().expect("nothing panics while it is held").recv();
        let Ok(job) = job else { return };
        // A job that panics answers `Overloaded` by dropping its sender; the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(argon2)));
    }
}

fn hash(argon2: &Argon2<'static>, password: &str) -> String {
    let hash = argon2.hash_password(password.as_bytes()).expect("parameters are checked, passwords have a limit");
    hash.to_string()
}

/// A hash that cannot be read is no one's password. Its own parameters count, so that they can be raised later.
fn verify(argon2: &Argon2<'static>, password: &str, known: &str) -> bool {
    PasswordHash::new(known).is_ok_and(|known| argon2.verify_password(password.as_bytes(), &known).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(threads: usize, queue_max: usize) -> PasswordOptions {
        PasswordOptions { threads, queue_max, memory_kib: 8 * 1024, passes: 1 }
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let pool = PasswordPool::start(&options(1, 4)).unwrap();
        let hash = pool.hash("鸿雁".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{hash}");
        assert_ne!(pool.hash("鸿雁".to_owned()).await.unwrap(), hash, "salted");
        assert_eq!(pool.verify("鸿雁".to_owned(), Some(hash.clone())).await, Ok(true));
        assert_eq!(pool.verify("鸿".to_owned(), Some(hash)).await, Ok(false));
        assert_eq!(pool.verify("鸿雁".to_owned(), None).await, Ok(false));
        assert_eq!(pool.verify("鸿雁".to_owned(), Some("not a hash".to_owned())).await, Ok(false));
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_a_panic_survived() {
        let pool = PasswordPool::start(&options(1, 1)).unwrap();
        assert_eq!(pool.run(|_| panic!("on purpose")).await, Err::<(), _>(Overloaded));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let busy = pool.run(move |_| {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        });
        let crowd = async {
            begins.await.unwrap();
            let (waiting, refused) = (pool.run(|_| ()), pool.run(|_| ()));
            tokio::pin!(waiting);
            assert!(futures_once(waiting.as_mut()).await.is_none(), "in the queue");
            assert_eq!(refused.await, Err(Overloaded));
            go.send(()).unwrap();
            waiting.await
        };
        assert_eq!(tokio::join!(busy, crowd), (Ok(()), Ok(())));
    }

    /// Polls once.
    async fn futures_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
