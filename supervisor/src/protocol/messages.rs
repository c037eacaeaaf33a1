//! What a host and a task's supervisor say to each other.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SupervisorState, TaskStats};

/// Kind of a frame with output of a command that was run inside: u32 its id, u8 1 = stdout 2 = stderr, the bytes.
pub const EXEC_OUTPUT_FRAME: u8 = 2;
/// Kind of a frame with a run of records of one lane, as they stand one behind the other in its spool.
pub const OUTPUT_RUN_FRAME: u8 = 3;
/// Most of one command's output that is sent beyond what was acknowledged.
pub const EXEC_WINDOW_BYTES: u64 = 128 * 1024;
/// Input that may be under way to one command.
pub const EXEC_INPUT_BYTES: usize = 64 * 1024;
/// Commands that are run inside one task at the same time, as `limits.execsPerTask` of the host.
pub const EXECS: usize = 1000;

/// Of a lane of its own, what is sent beyond what was acknowledged: so a lane that nobody takes holds up no other on the connection.
pub const LANE_WINDOW_BYTES: u64 = 2 * 1024 * 1024;

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_zero(lane: &usize) -> bool {
    *lane == 0
}

/// From the host to a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
pub enum ToSupervisor {
    /// First message on a connection: asks for state and for output from this spool offset on.
    Attach {
        from: u64,
        /// The same of the lanes after lane 0; those that are not named from their beginning on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lanes: Vec<u64>,
        /// Output is to come in runs; else each record in a frame of its own, as for a host of a former version.
        #[serde(default, skip_serializing_if = "is_false")]
        runs: bool,
    },
    /// Everything below `to` in the lane's spool is safe elsewhere and may be freed.
    Ack {
        to: u64,
        #[serde(default, skip_serializing_if = "is_zero")]
        lane: usize,
    },
    /// Stops all containers in reverse order of dependency: stop signal, its time, SIGKILL.
    Stop,
    /// SIGKILL to everything at once.
    Kill,
    Signal {
        container: String,
        signal: String,
    },
    Stats {
        id: u64,
    },
    /// What the task sends is delayed from now on, or no more. Answered by `latency`.
    Latency {
        id: u64,
        latency: Option<Latency>,
    },
    /// To a microVM that stood still: the time, as nanoseconds since the epoch in decimal, and 64 fresh random bytes in base64.
    #[serde(rename_all = "camelCase")]
    Resumed {
        entropy: String,
        time_ns: String,
    },
    /// Give everything back and exit. Refused (with `error`) while a container runs.
    Release,
    /// Runs a command in a container that runs already. Answered by `exec-started` or `exec-error`.
    Exec {
        id: u32,
        #[serde(flatten)]
        bundle: ExecBundle,
    },
    /// Bytes (base64) for its standard input; `eof`: no more will come. Unanswered by `exec-taken` no more than EXEC_INPUT_BYTES.
    ExecInput {
        id: u32,
        data: String,
        eof: bool,
    },
    ExecResize {
        id: u32,
        cols: u16,
        rows: u16,
    },
    ExecSignal {
        id: u32,
        signal: String,
    },
    /// So many more bytes of its output were handed on.
    ExecAck {
        id: u32,
        bytes: u64,
    },
    /// Kills it and forgets it: nothing more is said of this id.
    ExecClose {
        id: u32,
    },
}

/// `to`, `except`: IPv4 addresses and ranges that it is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub delay_ms: u64,
    pub jitter_ms: u64,
    pub to: Vec<String>,
    pub except: Vec<String>,
}

/// A command to run inside a container. It has the container's namespaces, limits, rights and environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecBundle {
    pub container: String,
    pub command: Vec<String>,
    /// With a terminal of the container's own, of `cols` times `rows`; its output is all of stream 1.
    pub tty: bool,
    pub cols: u16,
    pub rows: u16,
    /// Beside the container's own; these win.
    pub env: BTreeMap<String, String>,
    /// `name`, `uid`, `name:group`, ...; none: the container's.
    pub user: Option<String>,
    pub cwd: Option<String>,
    /// `command` is what `copy` is asked: not a program of the image runs, but this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copies: bool,
}

/// From a supervisor to the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
pub enum FromSupervisor {
    /// The whole state; sent on attach and after every change. `seq` grows.
    State {
        seq: u64,
        state: SupervisorState,
    },
    Stats {
        id: u64,
        stats: TaskStats,
    },
    /// `error`: why it is not so.
    Latency {
        id: u64,
        error: Option<String>,
    },
    Error {
        about: String,
        message: String,
    },
    Released,
    /// The command runs.
    ExecStarted {
        id: u32,
    },
    /// It took so many more bytes of its input (or will never read them).
    ExecTaken {
        id: u32,
        bytes: u64,
    },
    /// It ended and all its output was sent; 128 + n when killed by signal n. The last of this id.
    ExecExit {
        id: u32,
        code: i32,
    },
    /// It could not be started. The last of this id.
    ExecError {
        id: u32,
        message: String,
    },
}
