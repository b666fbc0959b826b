//! The parent of a process, as far as it can be told without asking for it.
//!
//! A supervisor that is killed drains nobody. It therefore holds the other end of its children's
//! standard input, which the system closes whatever becomes of it.

use std::io;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Bytes that are read and thrown away at a time.
const BUFFER_BYTES: usize = 256;

/// Completes when standard input ends: the parent has closed it, or is gone.
///
/// # Errors
/// When standard input is no pipe.
///
/// # Cancellation
/// Safe.
pub async fn gone() -> io::Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut stdin = Receiver::from_owned_fd(stdin)?;
    let mut buffer = [0; BUFFER_BYTES];
    while stdin.read(&mut buffer).await? > 0 {}
    Ok(())
}
