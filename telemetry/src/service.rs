//! What a process and the service manager that runs it tell each other: readiness, life, sockets.
//!
//! The protocol is that of sd_notify(3) and sd_listen_fds(3). A manager that cannot be told costs a line
//! of the log and nothing else: the process serves all the same.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use listenfd::ListenFd;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use tokio::net::TcpListener;

use crate::{Drain, Readiness, Tasks};

/// How much longer a manager is asked to wait while the process drains, and how often it is asked.
const EXTENSION: Duration = Duration::from_secs(30);
const EXTEND_EVERY: Duration = Duration::from_secs(5);

/// A listener that a service manager may hand over, by the name that its descriptor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// `public`: where requests are taken.
    Public,
    /// `admin`: the admin listener.
    Admin,
}

impl Socket {
    /// All of them.
    const ALL: [Self; 2] = [Self::Public, Self::Admin];

    /// The name of its descriptor.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// Why sockets that were handed over are not taken.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// One has a name that stands for nothing, or none.
    #[error(
        "a socket was handed over as `{0}`: LISTEN_FDNAMES has to name each `public` or `admin` \
         (FileDescriptorName= of a unit)"
    )]
    Name(String),
    /// Two have one name.
    #[error("two sockets were handed over as `{0}`: only one can be taken")]
    Twice(&'static str),
    /// One is not what it should be.
    #[error("the socket that was handed over as `{name}` cannot be used: {source}")]
    Unfit {
        /// Its name.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Listeners by their place in [`Socket::ALL`]; those that nobody has asked for yet.
static GIVEN: OnceLock<Mutex<[Option<std::net::TcpListener>; 2]>> = OnceLock::new();

/// Takes the sockets that the process was started with; [`listen`] hands them out. To be called first
/// of all, while the process has one thread: the variables that tell of them are unset.
///
/// # Errors
/// [`SocketError`]; none where no socket was handed over.
pub fn take_sockets() -> Result<(), SocketError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut handed = ListenFd::from_env();
    let places = places(&names, handed.len())?;
    let mut given = [None, None];
    for (index, place) in places.into_iter().enumerate() {
        let name = Socket::ALL[place].name();
        let unfit = |source| SocketError::Unfit { name, source };
        let listener = handed.take_tcp_listener(index).map_err(unfit)?;
        let listener = listener.expect("each is taken once");
        // What a client resets before it is accepted must not hold the thread that accepts.
        listener.set_nonblocking(true).map_err(unfit)?;
        given[place] = Some(listener);
    }
    // A second call finds no variables, and so nothing to add.
    GIVEN.get_or_init(|| Mutex::new(given));
    Ok(())
}

/// Which place each of so many descriptors has, by their names, which colons separate.
fn places(names: &str, count: usize) -> Result<Vec<usize>, SocketError> {
    let mut names = names.split(':');
    let mut places = Vec::new();
    for _ in 0..count {
        let name = names.next().unwrap_or_default();
        let place = Socket::ALL.iter().position(|socket| socket.name() == name);
        let place = place.ok_or_else(|| SocketError::Name(name.to_owned()))?;
        if places.contains(&place) {
            return Err(SocketError::Twice(Socket::ALL[place].name()));
        }
        places.push(place);
    }
    Ok(places)
}

/// The listener that was handed over for this, else one bound to this address.
///
/// # Errors
/// What binding says.
pub async fn listen(socket: Socket, address: SocketAddr) -> io::Result<TcpListener> {
    let given = GIVEN.get().and_then(|given| given.lock()[socket as usize].take());
    match given {
        Some(listener) => TcpListener::from_std(listener),
        None => TcpListener::bind(address).await,
    }
}

/// Tells the manager, if there is one, how the process is: from its start through its readiness to the
/// end of its drain, and that it lives, as often as it wants to hear that.
///
/// That it lives is told by a task like any other, so that a runtime that stands still is noticed.
pub(crate) fn follow(tasks: &Tasks, drain: &Drain) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    if let Some(patience) = sd_notify::watchdog_enabled() {
        tasks.background("watchdog", async move {
            loop {
                tell(&[NotifyState::Watchdog]);
                tokio::time::sleep(patience / 2).await;
            }
        });
    }
    tasks.background("service manager", told(drain.clone()));
}

/// Tells every change of readiness; ends when the process does.
async fn told(drain: Drain) {
    let mut readiness = drain.watch();
    loop {
        let now = readiness.borrow_and_update().clone();
        match now {
            Readiness::Starting(reason) => tell(&[NotifyState::Status(&reason)]),
            Readiness::Ready => tell(&[NotifyState::Ready, NotifyState::Status("ready")]),
            Readiness::Draining => return leaving(&drain).await,
        }
        readiness.changed().await.expect("the sender lives as long as this drain");
    }
}

/// Says that the process drains for as long as it does. How long it may is its configuration's.
async fn leaving(drain: &Drain) {
    tell(&[NotifyState::Stopping]);
    let extension = u32::try_from(EXTENSION.as_micros()).expect("half a minute fits");
    loop {
        let status = format!("draining, {} in flight", drain.in_flight_count());
        tell(&[NotifyState::ExtendTimeoutUsec(extension), NotifyState::Status(&status)]);
        tokio::time::sleep(EXTEND_EVERY).await;
    }
}

/// Tells the manager that the configuration is about to be read again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "there is no monotonic clock"),
    }
}

/// Tells the manager that it was, and whether it was taken over.
pub fn reloaded(taken: bool) {
    let status = match taken {
        true => "ready; the configuration was read again",
        false => "ready; the configuration was refused, the one before stays",
    };
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_go_where_their_names_say() {
        assert_eq!(places("admin:public", 2).expect("both are known"), [1, 0]);
        assert_eq!(places("", 0).expect("none was handed over"), Vec::<usize>::new());
    }

    #[test]
    fn socket_of_an_unknown_name_is_refused() {
        for (names, told) in [("bifrost-gateway.socket", "`bifrost-gateway.socket`"), ("", "``")] {
            let error = places(names, 1).expect_err("it stands for nothing").to_string();
            assert!(error.contains(told) && error.contains("FileDescriptorName"), "{error}");
        }
        let error = places("public:public", 2).expect_err("only one can be taken").to_string();
        assert!(error.contains("two sockets"), "{error}");
    }

    #[tokio::test]
    async fn address_is_bound_where_no_socket_was_handed_over() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = listen(Socket::Public, address).await.expect("a port is free");
        assert_ne!(listener.local_addr().expect("it is bound").port(), 0);
    }
}
