//! Commands of the program under strace, which counts their system calls and kills
//! them at a chosen one.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::Server;
use crate::support::skip::skip;

/// Whether strace is there and may trace; says so if not.
pub fn is_possible(test: &str) -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        skip(test, "strace is not installed, or may not trace");
    }
    may
}

/// A command of a server's program.
#[derive(Debug)]
pub struct Traced<'a>(pub &'a Server, pub &'a [&'a str]);

impl Traced<'_> {
    fn command(&self, options: &[&str]) -> Command {
        let plain = self.0.command();
        let own = plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        let mut command = Command::new("strace");
        command
            .env_clear()
            .envs(own)
            .args(["-f", "-qq"])
            .args(options);
        command.arg(plain.get_program()).args(self.1);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// How many calls of each kind the busiest thread makes.
    pub fn calls<'n>(&self, names: &[&'n str]) -> BTreeMap<&'n str, u64> {
        let log = self.0.data.with_extension("strace");
        let trace = format!("trace={}", names.join(","));
        let done = self
            .command(&["-o", log.to_str().unwrap(), "-e", &trace])
            .status();
        assert!(done.unwrap().success());
        let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            let (thread, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            let name = names.iter().find(|name| {
                let rest = call.strip_prefix(**name);
                rest.is_some_and(|rest| rest.starts_with('('))
            });
            if let Some(name) = name {
                *counts.entry((name, thread.to_owned())).or_default() += 1;
            }
        }
        let mut most = BTreeMap::new();
        for ((name, _), count) in counts {
            let own = most.entry(name).or_default();
            *own = count.max(*own);
        }
        most
    }

    /// Runs it, and kills it at the n-th call of a kind. Answers whether it came
    /// to that.
    pub fn kill_at(&self, name: &str, number: u64) -> bool {
        let trace = format!("trace={name}");
        let inject = format!("inject={name}:signal=SIGKILL:when={number}");
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        !self.command(&options).status().unwrap().success()
    }
}

/// So many numbers from 1 to `last`, both included.
pub fn spread(last: u64, points: u64) -> Vec<u64> {
    let steps = points.min(last);
    let at = |step| 1 + step * (last - 1) / (steps - 1).max(1);
    (0..steps).map(at).collect()
}
