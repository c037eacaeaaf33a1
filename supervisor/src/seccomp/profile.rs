//! `linux.seccomp` as it stands in a bundle, and what it means for each number of system call.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::Error;

/// `linux.seccomp` (OCI runtime specification 1.1, "Seccomp").
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub default_action: String,
    pub default_errno_ret: Option<u32>,
    #[serde(default)]
    pub syscalls: Vec<ProfileRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRule {
    pub names: Vec<String>,
    pub action: String,
    pub errno_ret: Option<u32>,
    #[serde(default)]
    pub args: Vec<ProfileArg>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileArg {
    pub index: u32,
    pub value: u64,
    #[serde(default)]
    pub value_two: u64,
    pub op: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Ne,
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
    /// Argument and `mask` equal `value`.
    MaskedEq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Test {
    pub index: u32,
    pub op: Op,
    pub mask: u64,
    pub value: u64,
}

/// What happens to one system call: the first of `rules` whose tests all hold, else `otherwise`. Values are SECCOMP_RET_*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub rules: Vec<(Vec<Test>, u32)>,
    pub otherwise: u32,
}

/// The whole number space, in order: each entry holds from its number up to the next entry's.
pub struct Resolved {
    pub segments: Vec<(u32, Verdict)>,
}

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const RET_ERRNO: u32 = 0x0005_0000;

fn action(name: &str, errno: Option<u32>) -> Result<u32, Error> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ERRNO" => RET_ERRNO | (errno.unwrap_or(EPERM) & 0xffff),
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        other => return Err(Error::Profile(format!("the action {other:?} is not supported"))),
    })
}

fn test(arg: &ProfileArg) -> Result<Test, Error> {
    let op = match arg.op.as_str() {
        "SCMP_CMP_NE" => Op::Ne,
        "SCMP_CMP_EQ" => Op::Eq,
        "SCMP_CMP_LT" => Op::Lt,
        "SCMP_CMP_LE" => Op::Le,
        "SCMP_CMP_GT" => Op::Gt,
        "SCMP_CMP_GE" => Op::Ge,
        "SCMP_CMP_MASKED_EQ" => Op::MaskedEq,
        other => return Err(Error::Profile(format!("the comparison {other:?} is not known"))),
    };
    if arg.index > 5 {
        return Err(Error::Profile(format!("a system call has no argument {}", arg.index)));
    }
    let (mask, value) = if op == Op::MaskedEq { (arg.value, arg.value_two) } else { (u64::MAX, arg.value) };
    Ok(Test { index: arg.index, op, mask, value })
}

/// Works out a verdict for every number, and joins neighbours that have the same.
pub fn resolve(profile: &Profile, table: &[(&str, u32)]) -> Result<Resolved, Error> {
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let unset = Verdict { rules: Vec::new(), otherwise: default };
    let mut calls: BTreeMap<u32, Verdict> = BTreeMap::new();
    for rule in &profile.syscalls {
        let answer = action(&rule.action, rule.errno_ret)?;
        let tests = rule.args.iter().map(test).collect::<Result<Vec<_>, _>>()?;
        for name in &rule.names {
            let Ok(found) = table.binary_search_by_key(&name.as_str(), |entry| entry.0) else { continue };
            let verdict = calls.entry(table[found].1).or_insert_with(|| unset.clone());
            if tests.is_empty() {
                verdict.otherwise = answer;
            } else {
                verdict.rules.push((tests.clone(), answer));
            }
        }
    }
    // A call newer than the profile gets ENOSYS, so that a C library falls back as on an older kernel (as runc does).
    let newest = calls.keys().next_back().copied();
    let mut segments: Vec<(u32, Verdict)> = Vec::new();
    let mut push = |from: u32, verdict: Verdict| {
        if segments.last().map(|s| &s.1) != Some(&verdict) {
            segments.push((from, verdict));
        }
    };
    let mut next = 0;
    for (nr, verdict) in calls {
        if nr > next {
            push(next, unset.clone());
        }
        push(nr, verdict);
        next = nr + 1;
    }
    let is_errno = default & 0xffff_0000 == RET_ERRNO;
    let beyond = if newest.is_some() && is_errno { RET_ERRNO | ENOSYS } else { default };
    push(next, Verdict { rules: Vec::new(), otherwise: beyond });
    Ok(Resolved { segments })
}
