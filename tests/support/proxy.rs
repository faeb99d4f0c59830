//! A TCP proxy in front of a service, which can be slow, hang, cut connections in the
//! middle of what they carry, or be away.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How it treats what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it comes.
    Forward,
    /// Answers come so much later.
    Slow(Duration),
    /// Connections are taken, and nothing is carried either way.
    Hang,
    /// Nobody listens, and connections there were are closed.
    Away,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// What has these bytes in it does not reach the service.
    Before(&'static str),
    /// What has these bytes in it reaches the service, and the answer nobody.
    After(&'static str),
    /// From these bytes on nothing is carried, and nobody is told.
    Silence(&'static str),
}

/// The proxy. It ends with this.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    mode: watch::Sender<Mode>,
    cut: Mutex<Option<Cut>>,
}

impl Proxy {
    /// Starts one in front of a service.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            target,
            mode: watch::Sender::new(Mode::Forward),
            cut: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, address, shared.clone()));
        Self {
            address,
            shared,
            task: task.abort_handle(),
        }
    }

    /// From now on it does this.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Cuts the connection that carries this next, once.
    pub fn cut(&self, cut: Cut) {
        *self.shared.lock() = Some(cut);
    }

    /// Whether nothing is left to be cut.
    pub fn has_cut(&self) -> bool {
        self.shared.lock().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.mode.send_replace(Mode::Away);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is where the connection is to be cut.
    fn is_cut(&self, bytes: &[u8]) -> Option<Cut> {
        let mut cut = self.lock();
        let (Cut::Before(mark) | Cut::After(mark) | Cut::Silence(mark)) = (*cut)?;
        let mut windows = bytes.windows(mark.len());
        windows
            .any(|own| own == mark.as_bytes())
            .then(|| cut.take())?
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut listener = Some(listener);
    loop {
        if *mode.borrow_and_update() == Mode::Away {
            listener = None;
            let _ = mode.wait_for(|mode| *mode != Mode::Away).await;
        }
        let own = match &listener {
            Some(own) => own,
            None => listener.insert(TcpListener::bind(address).await.expect("the port again")),
        };
        tokio::select! {
            _ = mode.changed() => {}
            accepted = own.accept() => {
                let Ok((client, _)) = accepted else { continue };
                tokio::spawn(carry(client, shared.clone()));
            }
        }
    }
}

/// Carries one connection, both ways, until either way ends.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let away = async {
        let _ = mode.wait_for(|mode| *mode == Mode::Away).await;
    };
    let carried = async {
        let service = TcpStream::connect(shared.target).await?;
        client.set_nodelay(true)?;
        service.set_nodelay(true)?;
        let (client_read, client_write) = client.into_split();
        let (service_read, service_write) = service.into_split();
        tokio::select! {
            done = requests(client_read, service_write, &shared) => done,
            done = answers(service_read, client_write, &shared) => done,
        }
    };
    tokio::select! {
        () = away => {}
        _ = carried => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut bytes).await?;
        flows(shared).await;
        match shared.is_cut(&bytes[..count]) {
            Some(Cut::Before(_)) => return Ok(()),
            Some(Cut::Silence(_)) => std::future::pending().await,
            Some(Cut::After(_)) => {
                to.write_all(&bytes[..count]).await?;
                // The service does what it was told before it notices.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Ok(());
            }
            None if count == 0 => return Ok(()),
            None => to.write_all(&bytes[..count]).await?,
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        flows(shared).await;
        let mode = *shared.mode.borrow();
        if let Mode::Slow(by) = mode {
            tokio::time::sleep(by).await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}

/// Waits while it hangs.
async fn flows(shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    let _ = mode.wait_for(|mode| *mode != Mode::Hang).await;
}
