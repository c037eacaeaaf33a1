//! Classic BPF for a resolved profile: a binary search over ranges of numbers, then tests of arguments.
use libc::sock_filter;

use super::profile::{Op, Resolved, Test, Verdict};
use super::Error;

/// BPF_MAXINSNS.
pub const MAX_LENGTH: usize = 4096;

const LD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JA: u16 = 0x05; // BPF_JMP | BPF_JA
const JEQ: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JGT: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const JGE: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RET: u16 = 0x06; // BPF_RET | BPF_K

// struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
const AT_NR: u32 = 0;
const AT_ARCH: u32 = 4;
const AT_ARGS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Calls of another architecture than ours are unknown here: ENOSYS.
const FOREIGN: u32 = 0x0005_0000 | 38;

/// Stands for "the next rule" in a jump until the rule's length is known.
const FAIL: u8 = 255;

fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

pub fn assemble(resolved: &Resolved) -> Result<Vec<sock_filter>, Error> {
    let mut out = vec![op(LD, AT_ARCH), jump(JEQ, AUDIT_ARCH, 1, 0), op(RET, FOREIGN), op(LD, AT_NR)];
    search(&resolved.segments, &mut out)?;
    if out.len() > MAX_LENGTH {
        return Err(Error::TooLong(out.len()));
    }
    Ok(out)
}

fn search(segments: &[(u32, Verdict)], out: &mut Vec<sock_filter>) -> Result<(), Error> {
    if let [(_, only)] = segments {
        return verdict(only, out);
    }
    let (left, right) = segments.split_at(segments.len() / 2);
    out.push(jump(JGE, right[0].0, 0, 1));
    let far = out.len();
    out.push(op(JA, 0));
    search(left, out)?;
    // JA takes 32 bits; the conditional jumps' 8 would not reach.
    out[far].k = (out.len() - far - 1) as u32;
    search(right, out)
}

fn verdict(verdict: &Verdict, out: &mut Vec<sock_filter>) -> Result<(), Error> {
    for (tests, answer) in &verdict.rules {
        let mut rule = Vec::new();
        for test in tests {
            compare(test, &mut rule);
        }
        rule.push(op(RET, *answer));
        let end = rule.len();
        for (at, instruction) in rule.iter_mut().enumerate() {
            let to_end = u8::try_from(end - at - 1).ok().filter(|n| *n < FAIL).ok_or(Error::TooLong(end))?;
            for target in [&mut instruction.jt, &mut instruction.jf] {
                if *target == FAIL {
                    *target = to_end;
                }
            }
        }
        out.append(&mut rule);
    }
    out.push(op(RET, verdict.otherwise));
    Ok(())
}

/// Falls through when the test holds; 64 bits as two words, the high one first.
fn compare(test: &Test, out: &mut Vec<sock_filter>) {
    let low = AT_ARGS + 8 * test.index;
    let (value_high, value_low) = ((test.value >> 32) as u32, test.value as u32);
    out.push(op(LD, low + 4));
    if test.op == Op::MaskedEq {
        out.push(op(AND, (test.mask >> 32) as u32));
        out.push(jump(JEQ, value_high, 0, FAIL));
        out.push(op(LD, low));
        out.push(op(AND, test.mask as u32));
        out.push(jump(JEQ, value_low, 0, FAIL));
        return;
    }
    match test.op {
        Op::Eq => out.push(jump(JEQ, value_high, 0, FAIL)),
        Op::Ne => out.push(jump(JEQ, value_high, 0, 2)),
        Op::Gt | Op::Ge => out.extend([jump(JGT, value_high, 3, 0), jump(JEQ, value_high, 0, FAIL)]),
        Op::Lt | Op::Le => out.extend([jump(JGT, value_high, FAIL, 0), jump(JEQ, value_high, 0, 2)]),
        Op::MaskedEq => {}
    }
    out.push(op(LD, low));
    out.push(match test.op {
        Op::Ne => jump(JEQ, value_low, FAIL, 0),
        Op::Gt => jump(JGT, value_low, 0, FAIL),
        Op::Ge => jump(JGE, value_low, 0, FAIL),
        Op::Lt => jump(JGE, value_low, FAIL, 0),
        Op::Le => jump(JGT, value_low, FAIL, 0),
        _ => jump(JEQ, value_low, 0, FAIL),
    });
}

#[cfg(test)]
pub fn interpret(program: &[sock_filter], nr: u32, args: [u64; 6]) -> u32 {
    let load = |at: u32| match at {
        AT_NR => nr,
        AT_ARCH => AUDIT_ARCH,
        at => {
            let arg = args[((at - AT_ARGS) / 8) as usize];
            if at % 8 == 0 {
                arg as u32
            } else {
                (arg >> 32) as u32
            }
        }
    };
    let (mut pc, mut a) = (0usize, 0u32);
    loop {
        let i = program[pc];
        pc += 1;
        let taken = match i.code {
            LD => {
                a = load(i.k);
                continue;
            }
            AND => {
                a &= i.k;
                continue;
            }
            JA => {
                pc += i.k as usize;
                continue;
            }
            RET => return i.k,
            JEQ => a == i.k,
            JGT => a > i.k,
            _ => a >= i.k,
        };
        pc += usize::from(if taken { i.jt } else { i.jf });
    }
}
