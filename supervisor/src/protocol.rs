//! What a host (TypeScript) and this program say to each other: the Rust half of `src/supervisor/protocol.ts`.
//! `test/golden/supervisor/*.json` is read by the tests of both halves.
use serde::{Deserialize, Serialize};

/// The task's own network namespace: one routed veth. Addresses are dotted quads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkBundle {
    /// A file that is a bind mount of the VPC router's network namespace.
    pub router_netns: String,
    /// Name of the router's end, unique in the router; at most 15 bytes.
    pub router_if: String,
    pub ip: String,
    pub mac: String,
    pub gateway_ip: String,
    pub gateway_mac: String,
    pub mtu: u32,
}

/// A VPC's router namespace and its uplink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcBundle {
    /// File to bind-mount the namespace on; its directory is made.
    pub router_netns: String,
    pub cidr: String,
    /// Uplink veth: the machine's end, and both ends' link-local addresses (/30).
    pub host_if: String,
    pub host_ip: String,
    pub router_ip: String,
    pub mtu: u32,
    /// Link-local addresses that the router itself answers for: put on its loopback.
    pub service_ips: Vec<String>,
    /// An nftables ruleset for the router's namespace, applied with `nft -f -`.
    pub router_rules: String,
    /// Same for the machine's own namespace.
    pub host_rules: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What one layer may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpackLimits {
    pub bytes: u64,
    pub entries: u64,
}

/// Unpacks one layer in a child that is chrooted into `into`; verifies the digest of the uncompressed tar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpackRequest {
    pub blob: String,
    pub compression: Compression,
    pub into: String,
    pub diff_id: Option<String>,
    pub limits: UnpackLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    Invalid,
    Exists,
    NotFound,
    Digest,
    Hostile,
    Limit,
    NoSpace,
    Failed,
}

/// Why a request of the kernel worker failed; goes over the wire as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerError {
    pub code: ErrorCode,
    pub message: String,
}

impl WorkerError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        WorkerError { code, message: message.into() }
    }
}

impl std::fmt::Display for WorkerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WorkerError {}
