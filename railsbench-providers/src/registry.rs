//! The providers at hand, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use railsbench_core::id::ProviderName;
use railsbench_core::provider::Provider;

/// A provider that comes with railsbench, whether or not it is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its key in configurations.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Whether this build has it.
    pub is_compiled: bool,
}

/// Every provider that comes with railsbench, in the order of their names.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { name: "aws", title: "Amazon EC2", is_compiled: cfg!(feature = "aws") },
    BuiltIn { name: "azure", title: "Microsoft Azure", is_compiled: cfg!(feature = "azure") },
    BuiltIn { name: "docker", title: "Docker containers", is_compiled: cfg!(feature = "docker") },
    BuiltIn { name: "gcp", title: "Google Compute Engine", is_compiled: cfg!(feature = "gcp") },
    BuiltIn { name: "heroku", title: "Heroku dynos", is_compiled: cfg!(feature = "heroku") },
    BuiltIn { name: "local", title: "this host", is_compiled: cfg!(feature = "local") },
];

/// The providers at hand, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<ProviderName, Arc<dyn Provider>>);

impl Registry {
    /// No provider.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every provider that is compiled in. Those that keep something on this host keep it below
    /// `state_dir`.
    pub fn standard(state_dir: &Path) -> Self {
        let mut registry = Self::empty();
        #[cfg(feature = "aws")]
        registry.register(Arc::new(crate::AwsProvider::new()));
        #[cfg(feature = "azure")]
        registry.register(Arc::new(crate::AzureProvider::from_environment()));
        #[cfg(feature = "docker")]
        registry.register(Arc::new(crate::DockerProvider::from_environment()));
        #[cfg(feature = "gcp")]
        registry.register(Arc::new(crate::GcpProvider::from_environment()));
        #[cfg(feature = "heroku")]
        registry.register(Arc::new(crate::HerokuProvider::from_environment()));
        #[cfg(feature = "local")]
        registry.register(Arc::new(crate::LocalProvider::new(state_dir.to_owned())));
        #[cfg(not(feature = "local"))]
        let _ = (&mut registry, state_dir);
        registry
    }

    /// Adds a provider; one of the same name is replaced by it.
    pub fn register(&mut self, provider: Arc<dyn Provider>) {
        self.0.insert(provider.name().clone(), provider);
    }

    /// The provider of this name.
    pub fn get(&self, name: &ProviderName) -> Option<Arc<dyn Provider>> {
        self.0.get(name).cloned()
    }

    /// The names of all, in alphabetical order.
    pub fn names(&self) -> Vec<&ProviderName> {
        self.0.keys().collect()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.values()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(all(test, feature = "local"))]
mod tests {

    use railsbench_core::provider::UserDataVars;

    use super::*;
    use crate::testing;

    #[test]
    fn what_is_compiled_in_is_what_is_registered() {
        let state = tempfile::tempdir().unwrap();
        let registry = Registry::standard(state.path());
        let compiled = BUILT_IN.iter().filter(|provider| provider.is_compiled);
        let compiled: Vec<&str> = compiled.map(|provider| provider.name).collect();
        let registered: Vec<String> = registry.names().iter().map(ToString::to_string).collect();
        assert_eq!(registered, compiled);
        assert!(BUILT_IN.is_sorted_by_key(|provider| provider.name));
    }

    #[test]
    fn every_provider_carries_the_orchestrators_own_ca() {
        let state = tempfile::tempdir().unwrap();
        for provider in Registry::standard(state.path()).iter() {
            let (instance_type, ..) = provider.instance_types().remove(0);
            let vars = UserDataVars {
                runner: Some("/opt/railsbench-runner".to_owned()),
                ..testing::vars(provider.name().as_str(), &instance_type)
            };
            testing::assert_carries_ca(provider.as_ref(), &vars);
        }
    }

    #[test]
    fn providers_are_found_by_name() {
        let state = tempfile::tempdir().unwrap();
        let mut registry = Registry::standard(state.path());
        let local = ProviderName::new("local").unwrap();
        assert!(registry.names().contains(&&local));
        assert_eq!(registry.get(&local).unwrap().name(), &local);
        assert!(registry.get(&ProviderName::new("elsewhere").unwrap()).is_none());
        assert_eq!(Registry::empty().iter().count(), 0);
        let count = registry.iter().count();
        registry.register(Arc::new(crate::LocalProvider::new(state.path().to_owned())));
        assert_eq!(registry.iter().count(), count);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "nothing was made yet");
    }
}
