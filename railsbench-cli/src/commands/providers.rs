//! `railsbench providers`: where machines can be started, and what is missing for that. Nobody is
//! called.

use std::path::Path;

use railsbench::provider::Provider;
use railsbench::providers::{BUILT_IN, BuiltIn, Registry};
use serde_json::json;

use super::HOW_TO_BUILD;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render::providers::{Details, ProviderStatus, providers};

pub async fn execute(output: &Output) -> Result<Exit, Failure> {
    // Nothing is asked of the providers that would need a state folder.
    let registry = Registry::standard(Path::new(".railsbench"));
    let mut found = Vec::new();
    for built_in in BUILT_IN {
        let provider = registry.iter().find(|provider| provider.name().as_str() == built_in.name);
        let details = match provider {
            Some(provider) => Some(details(provider.as_ref()).await),
            None => None,
        };
        found.push(status(*built_in, details));
    }
    output.show(&json!({ "providers": found }), || providers(&found))?;
    Ok(Exit::Ok)
}

async fn details(provider: &dyn Provider) -> Details {
    Details {
        setup: provider.setup().await,
        instance_types: provider.instance_types().len(),
        expectations: provider.expectations(),
    }
}

fn status(built_in: BuiltIn, details: Option<Details>) -> ProviderStatus {
    ProviderStatus {
        name: built_in.name,
        title: built_in.title,
        compiled: built_in.is_compiled,
        configured: details.as_ref().is_some_and(|details| details.setup.is_complete()),
        fix: (!built_in.is_compiled).then_some(HOW_TO_BUILD),
        documentation: format!("docs/providers/{}.md", built_in.name),
        details,
    }
}
