//! In which order a task's containers start and stop. Pure.
use crate::protocol::{Condition, ContainerBundle, ContainerStatus, Dependency, HealthStatus};

/// What the order depends on.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub status: ContainerStatus,
    /// Its command was started; stays true when it has ended.
    pub started: bool,
    pub exit_code: Option<i32>,
    /// None when nothing is checked.
    pub health: Option<HealthStatus>,
    /// Milliseconds since it was started.
    pub age_ms: u64,
    /// It is being made, and starts as soon as that is done.
    pub is_in_making: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Start,
    /// Look again at the latest after so many milliseconds, when there is a limit.
    Wait(Option<u64>),
    /// It can never start.
    Fail(String),
}

/// Whether container `index`, which waits, may start.
pub fn may_start(bundles: &[ContainerBundle], views: &[View], index: usize) -> Decision {
    let mut waits = false;
    let mut soonest: Option<u64> = None;
    for dependency in &bundles[index].depends_on {
        let Some(at) = bundles.iter().position(|b| b.name == dependency.container) else {
            return Decision::Fail(format!("it depends on container {:?}, which the task doesn't have", dependency.container));
        };
        match one(&bundles[at], views[at], dependency.condition, &bundles[index].name) {
            Decision::Start => {}
            Decision::Fail(why) => return Decision::Fail(why),
            Decision::Wait(left) => {
                waits = true;
                soonest = [soonest, left].into_iter().flatten().min();
            }
        }
    }
    if waits {
        Decision::Wait(soonest)
    } else {
        Decision::Start
    }
}

/// Whether container `index`, which must wait, waits for nothing but the starts of others that are in the making. Then it may be made
/// beside them: what it waits for can't change how. What an image brings into a volume is the one thing that depends on who is made first.
pub fn may_be_made(bundles: &[ContainerBundle], views: &[View], index: usize) -> bool {
    let is_near = |dependency: &Dependency| {
        let at = bundles.iter().position(|b| b.name == dependency.container);
        dependency.condition == Condition::Start && at.is_some_and(|at| views[at].started || views[at].is_in_making)
    };
    bundles.iter().all(|b| b.fill.is_empty()) && bundles[index].depends_on.iter().all(is_near)
}

/// The words are those of AWS's agent (dependencygraph there), where it has any.
fn one(bundle: &ContainerBundle, view: View, condition: Condition, target: &str) -> Decision {
    let name = &bundle.name;
    let ended = view.status == ContainerStatus::Exited;
    let unresolved = |why: &str| {
        Decision::Fail(format!("dependency graph: failed to resolve container ordering dependency [{name}] for target [{target}] {why}"))
    };
    if ended && !view.started {
        return unresolved("because dependency will never start");
    }
    match condition {
        Condition::Healthy if ended => unresolved("because dependency has to be HEALTHY, but has ended"),
        Condition::Healthy if view.health.is_none() => unresolved("because dependency has to be HEALTHY, but has no health check"),
        Condition::Healthy if view.health == Some(HealthStatus::Unhealthy) => {
            unresolved("because dependency has to be HEALTHY, but is UNHEALTHY")
        }
        Condition::Healthy if view.health == Some(HealthStatus::Healthy) => Decision::Start,
        Condition::Start if view.started => Decision::Start,
        Condition::Complete if ended => Decision::Start,
        Condition::Success if ended => match view.exit_code {
            Some(0) => Decision::Start,
            _ => unresolved("as dependency did not exit successfully."),
        },
        _ => match bundle.start_timeout_ms.filter(|_| view.started) {
            Some(limit) if view.age_ms >= limit => {
                Decision::Fail(format!("dependency graph: container ordering dependency [{name}] for target [{target}] has timed out."))
            }
            limit => Decision::Wait(limit.map(|limit| limit - view.age_ms)),
        },
    }
}

/// Whether container `index` may be stopped: everything that depends on it has ended.
pub fn may_stop(bundles: &[ContainerBundle], views: &[View], index: usize) -> bool {
    let name = &bundles[index].name;
    let depends = |bundle: &ContainerBundle| bundle.depends_on.iter().any(|d| d.container == *name);
    !bundles.iter().zip(views).any(|(bundle, view)| view.status == ContainerStatus::Running && depends(bundle))
}

/// The names of containers that wait for each other in a circle; such a task would never start.
pub fn circle(bundles: &[ContainerBundle]) -> Option<Vec<String>> {
    let mut left: Vec<&ContainerBundle> = bundles.iter().collect();
    loop {
        let waits = |b: &&ContainerBundle| b.depends_on.iter().any(|d| left.iter().any(|l| l.name == d.container));
        let next: Vec<&ContainerBundle> = left.iter().copied().filter(|b| waits(b)).collect();
        if next.is_empty() {
            return None;
        }
        if next.len() == left.len() {
            return Some(left.iter().map(|b| b.name.clone()).collect());
        }
        left = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CgroupLimits, FillBundle};

    fn bundle(name: &str, depends_on: &[(&str, Condition)]) -> ContainerBundle {
        ContainerBundle {
            name: name.to_string(),
            runtime_id: String::new(),
            bundle: String::new(),
            layers: Vec::new(),
            essential: true,
            depends_on: depends_on.iter().map(|(c, condition)| Dependency { container: c.to_string(), condition: *condition }).collect(),
            stop_signal: "SIGTERM".to_string(),
            stop_timeout_ms: 1000,
            start_timeout_ms: Some(500),
            init_process: false,
            cgroup: CgroupLimits::default(),
            watched_memory_bytes: None,
            health: None,
            restart: None,
            lane: None,
            fill: Vec::new(),
        }
    }

    const WAITING: View = View {
        status: ContainerStatus::Waiting,
        started: false,
        exit_code: None,
        health: Some(HealthStatus::Unknown),
        age_ms: 0,
        is_in_making: false,
    };
    const RUNNING: View = View { status: ContainerStatus::Running, started: true, age_ms: 100, ..WAITING };
    const FAILED: View = View { status: ContainerStatus::Exited, ..WAITING };

    fn ended(code: i32) -> View {
        View { status: ContainerStatus::Exited, exit_code: Some(code), ..RUNNING }
    }

    #[test]
    fn starts_when_every_condition_holds() {
        let decide = |condition, view| {
            let bundles = [bundle("a", &[]), bundle("b", &[("a", condition)])];
            may_start(&bundles, &[view, WAITING], 1)
        };
        assert_eq!(decide(Condition::Start, WAITING), Decision::Wait(None));
        assert_eq!(decide(Condition::Start, RUNNING), Decision::Start);
        assert_eq!(decide(Condition::Start, ended(1)), Decision::Start);
        assert_eq!(decide(Condition::Complete, RUNNING), Decision::Wait(Some(400)));
        assert_eq!(decide(Condition::Complete, ended(1)), Decision::Start);
        assert_eq!(decide(Condition::Success, ended(0)), Decision::Start);
        assert_eq!(decide(Condition::Healthy, RUNNING), Decision::Wait(Some(400)));
        assert_eq!(decide(Condition::Healthy, View { health: Some(HealthStatus::Healthy), ..RUNNING }), Decision::Start);
        let late = View { age_ms: 500, ..RUNNING };
        for failing in [
            decide(Condition::Success, ended(1)),
            decide(Condition::Success, late),
            decide(Condition::Complete, FAILED),
            decide(Condition::Start, FAILED),
            decide(Condition::Healthy, View { health: None, ..RUNNING }),
            decide(Condition::Healthy, View { health: Some(HealthStatus::Unhealthy), ..RUNNING }),
            decide(Condition::Healthy, View { health: Some(HealthStatus::Healthy), ..ended(0) }),
            decide(Condition::Healthy, late),
        ] {
            assert!(matches!(failing, Decision::Fail(_)), "{failing:?}");
        }
    }

    #[test]
    fn is_made_beside_what_it_waits_for_where_that_only_has_to_start() {
        let made = View { status: ContainerStatus::Running, is_in_making: true, ..WAITING };
        let decide = |condition, view| may_be_made(&[bundle("a", &[]), bundle("b", &[("a", condition)])], &[view, WAITING], 1);
        assert!(decide(Condition::Start, made));
        assert!(!decide(Condition::Start, WAITING));
        assert!(!decide(Condition::Healthy, made));
        assert!(!decide(Condition::Complete, RUNNING));
        let two = [bundle("a", &[]), bundle("b", &[]), bundle("c", &[("a", Condition::Start), ("b", Condition::Start)])];
        assert!(may_be_made(&two, &[RUNNING, made, WAITING], 2));
        assert!(!may_be_made(&two, &[WAITING, made, WAITING], 2));
        let fill = vec![FillBundle { path: "/data".to_string(), volume: "/volume".to_string() }];
        let filling = [ContainerBundle { fill, ..bundle("a", &[]) }, bundle("b", &[("a", Condition::Start)])];
        assert!(!may_be_made(&filling, &[made, WAITING], 1));
    }

    #[test]
    fn stops_in_reverse() {
        let bundles = [bundle("a", &[]), bundle("b", &[("a", Condition::Start)])];
        assert!(!may_stop(&bundles, &[RUNNING, RUNNING], 0));
        assert!(may_stop(&bundles, &[RUNNING, RUNNING], 1));
        assert!(may_stop(&bundles, &[RUNNING, ended(0)], 0));
    }

    #[test]
    fn finds_circles() {
        let start = Condition::Start;
        assert_eq!(circle(&[bundle("a", &[]), bundle("b", &[("a", start)]), bundle("c", &[("b", start)])]), None);
        let round = [bundle("a", &[]), bundle("b", &[("c", start)]), bundle("c", &[("b", start)])];
        assert_eq!(circle(&round), Some(vec!["b".to_string(), "c".to_string()]));
    }
}
