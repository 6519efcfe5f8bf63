//! How much to repeat: what a wished precision takes, and what was within reach.
//!
//! Repetition pays where the noise is, and costs most at the top: a machine has to be paid for
//! and set up, a task has to warm up (T. Kalibera, R. Jones, "Rigorous Benchmarking in Reasonable
//! Time", 2013). There are few sensible numbers of tasks and iterations, so all are tried, and
//! the number of machines follows from the precision or the budget.

use serde::{Deserialize, Serialize};

use super::components::Components;
use super::student::{Uncertainty, t_upper};

/// More machines of a type than this are no plan.
const MOST_INSTANCES: usize = 1000;
/// Most tasks per machine that are tried.
const MOST_TASKS: usize = 20;
/// Iterations per task that are tried; fewer than 20 leave a steady state unseen.
const ITERATIONS: [usize; 9] = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
/// How often a difference that is called detectable would be found.
const POWER: f64 = 0.8;

/// What one more of each level costs, all in the same unit: dollars, or seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A machine, until its first task starts.
    pub instance: f64,
    /// A task, without its measured iterations: start and warm-up.
    pub task: f64,
    /// A measured iteration.
    pub iteration: f64,
}

/// What is to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The time of one type.
    OneType,
    /// The ratio of two types that are equally noisy, each with the planned numbers.
    Ratio,
}

/// Numbers of repetitions, and what they are good for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Machines of each type.
    pub instances: usize,
    /// Tasks on each machine.
    pub tasks: usize,
    /// Measured iterations in each task.
    pub iterations: usize,
    /// Expected reach of the interval to each side, as a share: 0.03 is ±3 %.
    pub precision: f64,
    /// What all of it costs, in the unit of the [`Costs`].
    pub cost: f64,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The pilot ran on one machine.
    #[error(
        "how much machines differ is unknown: run the pilot on at least two machines of the type"
    )]
    UnknownMachines,
    /// A cost, the precision, the confidence or the budget is not a number that makes sense.
    #[error("{what} is {value}, but must be {must}")]
    OutOfRange {
        /// Which of them.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// Not even the most machines reach the precision.
    #[error("no number of machines up to {MOST_INSTANCES} reaches that precision; ask for no better than ±{:.2} %", best * 100.0)]
    TooPrecise {
        /// What they reach, as a share.
        best: f64,
    },
    /// The budget is less than two machines of each type cost.
    #[error("the budget does not pay for two machines of each type; that takes {least}")]
    TooPoor {
        /// What they cost.
        least: f64,
    },
}

/// The cheapest design whose interval of `confidence` is expected to reach no further than
/// `precision` (a share: 0.03 is ±3 %) to each side.
pub fn for_precision(
    noise: &Components,
    costs: &Costs,
    quantity: Quantity,
    confidence: f64,
    precision: f64,
) -> Result<Design, PlanError> {
    positive("precision", precision)?;
    let planner = Planner::new(noise, costs, quantity, confidence)?;
    let target = precision.ln_1p();
    let reaches = |shape: Shape| {
        let instances = fewest(|count| planner.half_width(count, shape) <= target)?;
        Some(planner.design(instances, shape))
    };
    let designs = planner.shapes().filter_map(reaches);
    designs.min_by(|a, b| a.cost.total_cmp(&b.cost)).ok_or_else(|| {
        let best = planner.shapes().map(|shape| planner.half_width(MOST_INSTANCES, shape));
        PlanError::TooPrecise { best: best.fold(f64::INFINITY, f64::min).exp_m1() }
    })
}

/// The most precise design that costs no more than `budget`.
pub fn for_budget(
    noise: &Components,
    costs: &Costs,
    quantity: Quantity,
    confidence: f64,
    budget: f64,
) -> Result<Design, PlanError> {
    positive("budget", budget)?;
    let planner = Planner::new(noise, costs, quantity, confidence)?;
    let affordable = |shape: Shape| {
        let exceeds = |count: usize| planner.cost(count, shape) > budget;
        let instances = fewest(exceeds).map_or(MOST_INSTANCES, |too_many| too_many - 1);
        (instances >= 2).then(|| planner.design(instances, shape))
    };
    let designs = planner.shapes().filter_map(affordable);
    designs
        .min_by(|a, b| a.precision.total_cmp(&b.precision).then(a.cost.total_cmp(&b.cost)))
        .ok_or_else(|| {
            let least = planner.shapes().map(|shape| planner.cost(2, shape));
            PlanError::TooPoor { least: least.fold(f64::INFINITY, f64::min) }
        })
}

/// What each machine does.
#[derive(Clone, Copy)]
struct Shape {
    tasks: usize,
    iterations: usize,
}

struct Planner<'a> {
    costs: &'a Costs,
    quantity: Quantity,
    confidence: f64,
    machine: f64,
    task: Option<f64>,
    iteration: f64,
}

impl<'a> Planner<'a> {
    fn new(
        noise: &Components,
        costs: &'a Costs,
        quantity: Quantity,
        confidence: f64,
    ) -> Result<Self, PlanError> {
        let machine = noise.machine.ok_or(PlanError::UnknownMachines)?;
        positive("cost of an instance", costs.instance)?;
        positive("cost of a task", costs.task)?;
        positive("cost of an iteration", costs.iteration)?;
        if !(confidence > 0.0 && confidence < 1.0) {
            let must = "above 0 and below 1";
            return Err(PlanError::OutOfRange { what: "confidence", value: confidence, must });
        }
        let iteration = noise.iteration.unwrap_or(0.0);
        Ok(Self { costs, quantity, confidence, machine, task: noise.task, iteration })
    }

    /// What to try; one task if what a second does is unknown.
    fn shapes(&self) -> impl Iterator<Item = Shape> {
        let most = self.task.map_or(1, |_| MOST_TASKS);
        (1..=most).flat_map(|tasks| ITERATIONS.map(|iterations| Shape { tasks, iterations }))
    }

    /// Expected reach of the interval, in logarithms.
    fn half_width(&self, instances: usize, shape: Shape) -> f64 {
        let iteration = self.iteration.powi(2) / shape.iterations as f64;
        let task = self.task.unwrap_or(0.0).powi(2) + iteration;
        let unit = self.machine.powi(2) + task / shape.tasks as f64;
        let types = vec![unit; self.types()];
        with_instances(&types, instances)
            .and_then(|uncertainty| uncertainty.half_width(self.confidence))
            .unwrap_or(f64::INFINITY)
    }

    fn types(&self) -> usize {
        match self.quantity {
            Quantity::OneType => 1,
            Quantity::Ratio => 2,
        }
    }

    fn cost(&self, instances: usize, shape: Shape) -> f64 {
        let task = self.costs.task + shape.iterations as f64 * self.costs.iteration;
        let machine = self.costs.instance + shape.tasks as f64 * task;
        (self.types() * instances) as f64 * machine
    }

    fn design(&self, instances: usize, shape: Shape) -> Design {
        Design {
            instances,
            tasks: shape.tasks,
            iterations: shape.iterations,
            precision: self.half_width(instances, shape).exp_m1(),
            cost: self.cost(instances, shape),
        }
    }
}

fn positive(what: &'static str, value: f64) -> Result<(), PlanError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(PlanError::OutOfRange { what, value, must: "a number above 0" })
}

/// What a difference of types would be known with, were there so many machines of each; from
/// the variance of one machine of each.
pub(super) fn with_instances(variances: &[f64], instances: usize) -> Option<Uncertainty> {
    let count = instances as f64;
    let part = |variance: &f64| Uncertainty { variance: variance / count, degrees: count - 1.0 };
    Uncertainty::sum(&variances.iter().map(part).collect::<Vec<_>>())
}

/// The fewest machines, from two on, for which something holds that goes on to hold for more.
pub(super) fn fewest(holds: impl Fn(usize) -> bool) -> Option<usize> {
    if !holds(MOST_INSTANCES) {
        return None;
    }
    let (mut below, mut holding) = (1, MOST_INSTANCES);
    while holding - below > 1 {
        let middle = usize::midpoint(below, holding);
        if holds(middle) {
            holding = middle;
        } else {
            below = middle;
        }
    }
    Some(holding)
}

/// The least true difference, as a logarithm, that would be told from none at this confidence
/// four times out of five.
pub(super) fn detectable(uncertainty: Uncertainty, confidence: f64) -> Option<f64> {
    let claimed = t_upper(uncertainty.degrees, (1.0 - confidence) / 2.0)?;
    Some((claimed + t_upper(uncertainty.degrees, 1.0 - POWER)?) * uncertainty.error())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISE: Components =
        Components { machine: Some(0.05), task: Some(0.02), iteration: Some(0.2) };
    const COSTS: Costs = Costs { instance: 100.0, task: 20.0, iteration: 0.2 };

    #[test]
    fn repetition_goes_where_it_pays() {
        let plan = |noise: Components, costs: Costs| {
            for_precision(&noise, &costs, Quantity::Ratio, 0.95, 0.03).unwrap()
        };
        let usual = plan(NOISE, COSTS);
        // √(20/0.2) × 0.2/0.02 = 100 iterations are best, and a second task halves what is
        // a sixth of the noise for a third more money.
        assert_eq!((usual.tasks, usual.iterations), (1, 100));
        assert!(usual.precision <= 0.03 && usual.precision > 0.028, "{usual:?}");
        // t(2n - 2) × √(2 × (0.05² + 0.02² + 0.02²)/n) is 0.02969 for 30 machines and 0.02919
        // for 31; ln 1.03 is 0.02956.
        assert_eq!(usual.instances, 31);
        assert!((usual.cost - 62.0 * 140.0).abs() < 1e-9);
        let noisy_tasks = plan(Components { task: Some(0.2), ..NOISE }, COSTS);
        assert!(noisy_tasks.tasks > 1, "{noisy_tasks:?}");
        let dear_machines = plan(NOISE, Costs { instance: 10_000.0, ..COSTS });
        assert!(dear_machines.tasks > 1 && dear_machines.instances < usual.instances);
    }

    #[test]
    fn a_budget_buys_what_its_precision_costs() {
        let wished = for_precision(&NOISE, &COSTS, Quantity::OneType, 0.95, 0.04).unwrap();
        let bought = for_budget(&NOISE, &COSTS, Quantity::OneType, 0.95, wished.cost).unwrap();
        assert!(bought.cost <= wished.cost && bought.precision <= wished.precision);
    }

    #[test]
    fn what_cannot_be_planned_says_why() {
        let alone = Components { machine: None, ..NOISE };
        let plan = |noise: &Components, precision: f64| {
            for_precision(noise, &COSTS, Quantity::OneType, 0.95, precision)
        };
        assert_eq!(plan(&alone, 0.03), Err(PlanError::UnknownMachines));
        assert!(matches!(plan(&NOISE, 1e-4), Err(PlanError::TooPrecise { best }) if best > 1e-4));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(plan(&NOISE, wrong), Err(PlanError::OutOfRange { .. })), "{wrong}");
        }
        let poor = for_budget(&NOISE, &COSTS, Quantity::Ratio, 0.95, 100.0).unwrap_err();
        assert_eq!(
            poor.to_string(),
            "the budget does not pay for two machines of each type; that takes 496"
        );
        let quiet = Components { machine: Some(0.0), task: Some(0.0), iteration: Some(0.0) };
        assert_eq!(plan(&quiet, 0.01).map(|design| design.instances), Ok(2));
    }
}
