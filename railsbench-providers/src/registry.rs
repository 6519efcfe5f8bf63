//! The providers at hand, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use railsbench_core::id::ProviderName;
use railsbench_core::provider::Provider;

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
    use super::*;

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
