//! What `keep` is told: a JSON file.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::launch::User;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Holds the keeper's process id, locked while it lives.
    pub pid_file: PathBuf,
    /// In the order of starting; stopped in reverse.
    pub processes: Vec<ProcessSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessSpec {
    pub name: String,
    /// The program's absolute path and its arguments.
    pub argv: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// null: root, as the keeper.
    pub user: Option<User>,
    pub cwd: PathBuf,
    /// Output and the keeper's own words about this process are appended here.
    pub log_file: PathBuf,
    /// Not started before this file is there.
    pub start_after_file: Option<PathBuf>,
    pub stop_timeout_ms: u64,
    /// What `user` must be able to read although directories above it are closed.
    #[serde(default)]
    pub reachable: Vec<PathBuf>,
    /// A mount namespace of its own; one that runs as `user` always has one.
    #[serde(default)]
    pub private: bool,
}

impl Spec {
    pub fn read(path: &str) -> Result<Spec, String> {
        let text = std::fs::read(path).map_err(|error| format!("can't read {path}: {}", crate::sys::reason(&error)))?;
        let spec: Spec = serde_json::from_slice(&text).map_err(|error| format!("{path} is no description of processes: {error}"))?;
        match spec.processes.iter().find(|process| !process.argv.first().is_some_and(|program| program.starts_with('/'))) {
            Some(process) => Err(format!("{path}: the program of {} needs an absolute path", process.name)),
            None => Ok(spec),
        }
    }
}
