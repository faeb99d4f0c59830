//! A Redis server of a test's own, which can be stopped, hung and started again on
//! the same port.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apex::limit::Redis as Store;
use prometheus_client::metrics::gauge::Gauge;

use super::skip;

/// A Redis server, running or not.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    port: u16,
}

impl Redis {
    /// Starts a server; nothing where Redis is not installed.
    pub fn start() -> Option<Self> {
        skip::program("redis-server")?;
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut server = Self { child: None, port };
        server.run();
        Some(server)
    }

    /// Starts it, empty, and waits until it accepts connections.
    pub fn run(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("it starts"));
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("Redis does not answer");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A store of counters in it.
    pub fn store(&self) -> Store {
        self.store_with(Gauge::default())
    }

    /// A store of counters in it that tells a gauge how it is.
    pub fn store_with(&self, up: Gauge) -> Store {
        Store::new(&self.url().into(), up).expect("an address")
    }

    /// Sends it a signal, such as STOP.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
