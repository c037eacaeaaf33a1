//! The spools of a task: lane 0 for the containers that share it, and one for each container that has a lane of its own.
use std::path::Path;

use crate::protocol::{ContainerBundle, LaneState, TaskBundle};
use crate::spool::{Error, Spool};

pub struct Lanes {
    spools: Vec<Spool>,
    /// Lane of each container.
    of: Vec<usize>,
    /// While a log router's stop waits: what was acknowledged of its lanes, and until when it waits for more.
    router_waits: Option<(u64, u64)>,
}

/// How long a log router is left running although nothing more of the others' output reaches it.
const ROUTER_PATIENCE_MS: u64 = 5000;

impl Lanes {
    pub fn create(bundle: &TaskBundle) -> Result<Lanes, Error> {
        let dir = Path::new(&bundle.dir);
        let mut spools = vec![Spool::create(dir, 0, bundle.spool_bytes)?];
        let mut of = Vec::with_capacity(bundle.containers.len());
        for container in &bundle.containers {
            of.push(container.lane.as_ref().map_or(0, |_| spools.len()));
            if let Some(lane) = &container.lane {
                spools.push(Spool::create(dir, spools.len(), lane.spool_bytes)?);
            }
        }
        Ok(Lanes { spools, of, router_waits: None })
    }

    pub fn shared(&self) -> &Spool {
        &self.spools[0]
    }

    pub fn all(&self) -> &[Spool] {
        &self.spools
    }

    pub fn of_mut(&mut self, container: usize) -> &mut Spool {
        &mut self.spools[self.of[container]]
    }

    pub fn acknowledge(&mut self, lane: usize, to: u64) -> Result<(), Error> {
        self.spools.get_mut(lane).map_or(Err(Error::Lane(lane)), |spool| spool.acknowledge(to))
    }

    /// Until when a container must not be stopped yet, by the monotonic clock, because output is on its way to it; None: stop it.
    pub fn hold_router(&mut self, bundles: &[ContainerBundle], index: usize, now: u64) -> Option<u64> {
        let name = &bundles[index].name;
        let is_sender = |b: &ContainerBundle| b.lane.as_ref().is_some_and(|lane| lane.router.as_ref() == Some(name));
        let senders = bundles.iter().zip(&self.of).filter(|(b, _)| is_sender(b)).map(|(_, lane)| &self.spools[*lane]);
        let (owed, acked) = senders.fold((0, 0), |(owed, acked), s| (owed + s.end() - s.base(), acked + s.base()));
        if owed == 0 {
            return None;
        }
        let until = match self.router_waits {
            Some((before, until)) if before == acked => until,
            _ => now + ROUTER_PATIENCE_MS,
        };
        self.router_waits = Some((acked, until));
        Some(until).filter(|until| now < *until)
    }

    pub fn dropped_bytes(&self) -> u64 {
        self.spools.iter().map(Spool::dropped_bytes).sum()
    }

    /// Of the lanes after lane 0.
    pub fn states(&self) -> Vec<LaneState> {
        let state = |s: &Spool| LaneState { base: s.base(), end: s.end(), dropped_bytes: s.dropped_bytes() };
        self.spools[1..].iter().map(state).collect()
    }

    /// From where a host that has everything below these offsets goes on.
    pub fn begin(&self, from: u64, others: &[u64]) -> Vec<u64> {
        let wanted = std::iter::once(from).chain(others.iter().copied()).chain(std::iter::repeat(0));
        self.spools.iter().zip(wanted).map(|(spool, at)| at.clamp(spool.base(), spool.end())).collect()
    }
}
