//! The rules that need no cloud: shapes, plans, user data.

use railsbench_core::provider::{
    Direction, InstanceFacts, Plan, PlanError, Provider, RenderError, ShapeError, ShapeSource,
    UserDataVars,
};
use secrecy::{ExposeSecret, SecretString};

use super::shell::{HOSTILE, read_back, values};
use super::{Rule, Subject, Violation};

/// Checks shapes, plans and user data. Touches no cloud; needs `sh` on PATH.
///
/// # Errors
/// The first [`Violation`].
pub fn check_pure(provider: &dyn Provider, subject: &Subject) -> Result<(), Violation> {
    shapes(provider, subject)?;
    unknown_types(provider, subject)?;
    expectations(provider)?;
    let plan = plans(provider, subject)?;
    firewall(provider, &plan)?;
    cost(provider, &plan)?;
    secrets(provider, &plan)?;
    user_data(provider, &subject.request.vars)
}

fn shapes(provider: &dyn Provider, subject: &Subject) -> Result<(), Violation> {
    let rule = Rule::of(provider, "known instance types have their shape");
    for (name, expected) in &subject.shapes {
        let shape = rule.value(provider.shape(name))?;
        rule.holds(shape == *expected, || format!("{name} is {shape:?}, not {expected:?}"))?;
    }
    let rule = Rule::of(provider, "the catalog and the naming grammar agree");
    let listed = provider.instance_types();
    rule.holds(!listed.is_empty(), || "no instance type is listed".to_owned())?;
    for (name, expected, _) in &listed {
        let shape = rule.value(provider.shape(name))?;
        rule.holds(shape == *expected, || format!("{name} is {shape:?}, listed as {expected:?}"))?;
    }
    let rule = Rule::of(provider, "what is listed can be looked up as it is listed");
    for (name, shape, price) in listed {
        let expected = InstanceFacts { shape, price, source: ShapeSource::Catalog };
        let facts = rule.value(provider.look_up(&name))?;
        rule.holds(facts == expected, || format!("{name} is {facts:?}, listed as {expected:?}"))?;
    }
    Ok(())
}

fn unknown_types(provider: &dyn Provider, subject: &Subject) -> Result<(), Violation> {
    let rule = Rule::of(provider, "an unknown instance type is refused and the nearest named");
    let (misspelt, meant) = &subject.misspelt;
    let looked_up = provider.look_up(misspelt).map(|facts| facts.shape);
    rule.holds(looked_up == provider.shape(misspelt), || format!("looking up: {looked_up:?}"))?;
    match provider.shape(misspelt) {
        Err(ShapeError::Unknown { provider: named, name, nearest }) => {
            rule.holds(&named == provider.name(), || format!("it calls itself {named}"))?;
            rule.holds(&name == misspelt, || format!("it speaks of {name:?}"))?;
            rule.holds(nearest.contains(meant), || {
                format!("for {misspelt:?} it suggests {nearest:?}, not {meant:?}")
            })
        }
        other => Err(rule.broken(format!("{misspelt:?} gives {other:?}"))),
    }
}

fn expectations(provider: &dyn Provider) -> Result<(), Violation> {
    let rule = Rule::of(provider, "a lease outlasts a missed heartbeat");
    let lease = provider.expectations().lease;
    rule.holds(lease.as_secs() >= 60, || format!("it is {lease:?}; heartbeats come every 30 s"))
}

fn plans(provider: &dyn Provider, subject: &Subject) -> Result<Plan, Violation> {
    let request = &subject.request;
    let rule = Rule::of(provider, "the same request gives the same plan");
    let plan = rule.value(provider.plan(request))?;
    let again = rule.value(provider.plan(request))?;
    let (shown, shown_again) = (as_json(rule, &plan)?, as_json(rule, &again)?);
    rule.holds(shown == shown_again, || format!("{shown} and then {shown_again}"))?;
    rule.holds(plan.user_data.expose() == again.user_data.expose(), || {
        "the user data differs".to_owned()
    })?;

    let rule = Rule::of(provider, "a plan is for what was asked");
    rule.holds(&plan.provider == provider.name(), || format!("it is for {}", plan.provider))?;
    rule.holds(plan.run_id == request.run_id, || format!("it is for run {}", plan.run_id))?;
    rule.holds(plan.role == request.role, || format!("it is for a {:?}", plan.role))?;
    rule.holds(plan.machines.len() == request.count as usize, || {
        format!("{} machines, not {}", plan.machines.len(), request.count)
    })?;
    for machine in &plan.machines {
        let name = machine.instance_type.as_str();
        rule.holds(machine.instance_type == request.instance_type, || {
            format!("a machine is a {name}")
        })?;
        let shape = rule.value(provider.shape(name))?;
        rule.holds(machine.shape == shape, || format!("{name} is planned as {:?}", machine.shape))?;
    }
    rule.holds(plan.max_lifetime == request.max_lifetime, || {
        format!("machines may live for {:?}", plan.max_lifetime)
    })?;
    let least = request.expected_work + provider.expectations().boot;
    rule.holds(plan.expected >= least, || {
        format!("{:?} are expected, less than boot and work: {least:?}", plan.expected)
    })?;

    let rule = Rule::of(provider, "no two machines of a run have the same name");
    let mut next = request.clone();
    next.first += request.count;
    let next = rule.value(provider.plan(&next))?;
    let mut names: Vec<&str> =
        plan.machines.iter().chain(&next.machines).map(|machine| machine.name.as_str()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    rule.holds(names.len() == count, || format!("{count} machines have the names {names:?}"))?;

    let rule = Rule::of(provider, "an unknown instance type is not planned");
    let mut unknown = request.clone();
    unknown.instance_type = rule.value(subject.misspelt.0.parse())?;
    rule.holds(matches!(provider.plan(&unknown), Err(PlanError::Shape(_))), || {
        format!("{} is planned, or refused for another reason", unknown.instance_type)
    })?;
    Ok(plan)
}

fn firewall(provider: &dyn Provider, plan: &Plan) -> Result<(), Violation> {
    let rule = Rule::of(provider, "nothing comes in and only TCP 443 goes out");
    let wrong = plan.firewall.iter().find(|allowed| {
        allowed.direction == Direction::Ingress || allowed.protocol != "tcp" || allowed.port != 443
    });
    rule.holds(wrong.is_none(), || format!("{wrong:?}"))
}

fn cost(provider: &dyn Provider, plan: &Plan) -> Result<(), Violation> {
    let rule = Rule::of(provider, "a cost is a range with a source, and a date if it is not zero");
    let cost = &plan.cost;
    rule.holds(cost.low <= cost.likely && cost.likely <= cost.high, || format!("{cost:?}"))?;
    rule.holds(!cost.source.is_empty(), || "there is no source".to_owned())?;
    let free = cost.high == railsbench_core::money::Usd::default();
    rule.holds(free || cost.as_of.is_some(), || "there is no date".to_owned())
}

fn secrets(provider: &dyn Provider, plan: &Plan) -> Result<(), Violation> {
    let rule = Rule::of(provider, "the run token is shown nowhere");
    let secret = plan.vars.api_key.expose_secret();
    let shown = [
        ("the plan as JSON", as_json(rule, plan)?),
        ("the plan for debugging", format!("{plan:?}")),
        ("the user data for debugging", format!("{:?}", plan.user_data)),
        ("the redacted user data", plan.user_data.redacted()),
    ];
    for (place, text) in shown {
        rule.holds(!text.contains(secret), || format!("it is in {place}"))?;
    }
    Ok(())
}

fn user_data(provider: &dyn Provider, vars: &UserDataVars) -> Result<(), Violation> {
    let rule = Rule::of(provider, "user data tells the runner five values as they are");
    let mut cases = vec![vars.clone()];
    for hostile in HOSTILE {
        cases.push(UserDataVars { orchestrator_url: hostile.to_owned(), ..vars.clone() });
        cases.push(UserDataVars { api_key: SecretString::from(hostile), ..vars.clone() });
    }
    for case in cases {
        let data = rule.value(provider.render_user_data(&case))?;
        let told = rule.value(read_back(&data))?;
        let expected = values(&case);
        rule.holds(told == expected, || format!("{expected:?} became {told:?}"))?;
    }

    let rule = Rule::of(provider, "a value that no line can hold is refused");
    for broken in ["a\nb", "a\rb", "a\0b"] {
        for case in [
            UserDataVars { orchestrator_url: broken.to_owned(), ..vars.clone() },
            UserDataVars { api_key: SecretString::from(broken), ..vars.clone() },
        ] {
            let refused =
                matches!(provider.render_user_data(&case), Err(RenderError::Value { .. }));
            rule.holds(refused, || format!("{broken:?} is taken"))?;
        }
    }
    Ok(())
}

fn as_json(rule: Rule<'_>, plan: &Plan) -> Result<String, Violation> {
    rule.value(serde_json::to_string(plan))
}
