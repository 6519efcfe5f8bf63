//! What one provision intends, makes and takes back: in the journal before each step, and in
//! memory for taking it back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use railsbench_core::id::RunId;
use railsbench_core::provider::{Journal, JournalEntry, JournalStep, ProviderError};
use uuid::Uuid;

use super::api::Place;
use super::naming::provider_name;
use super::plan::FIREWALL;
use crate::diary::Diary;

/// The kind of a machine in journals and lists.
pub(super) const INSTANCE: &str = "instance";

/// Something that is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Firewall(String),
    Instance(Place),
}

impl Item {
    fn kind(&self) -> &'static str {
        match self {
            Self::Firewall(_) => FIREWALL,
            Self::Instance(_) => INSTANCE,
        }
    }

    /// Its id in lists and in the journal.
    fn id(&self) -> String {
        match self {
            Self::Firewall(name) => name.clone(),
            Self::Instance(place) => place.to_string(),
        }
    }
}

/// What one provision intends and makes.
pub(super) struct Ledger {
    diary: Diary,
    region: String,
    /// What may exist by its doing, with the token of the intent.
    touched: Mutex<BTreeSet<(Item, String)>>,
}

impl Ledger {
    pub(super) fn new(journal: Arc<dyn Journal>, run_id: RunId, region: &str) -> Self {
        let diary = Diary::new(journal, provider_name(), run_id);
        Self { diary, region: region.to_owned(), touched: Mutex::default() }
    }

    /// Writes down what is about to be made, and gives the token of that. An intent that was
    /// written down and of which it is not known what came, as after a crash, is taken up again:
    /// then Google knows the request if it has had it.
    pub(super) async fn intend(&self, item: &Item) -> Result<String, ProviderError> {
        let entries = self.diary.entries().await?;
        let id = item.id();
        let token = open_intent(&entries, item.kind(), &id)
            .unwrap_or_else(|| format!("{id}#{}", Uuid::from_u128(rand::random()).simple()));
        self.record(item, &token, JournalStep::Intend).await?;
        Ok(token)
    }

    pub(super) async fn created(&self, item: &Item, token: &str) -> Result<(), ProviderError> {
        self.record(item, token, JournalStep::Created { id: item.id() }).await
    }

    /// It is not there, and that was looked at.
    pub(super) async fn removed(&self, item: &Item, token: &str) -> Result<(), ProviderError> {
        self.untouch(item, token);
        self.record(item, token, JournalStep::Removed).await
    }

    /// From now on it may exist by our doing.
    pub(super) fn touch(&self, item: &Item, token: &str) {
        self.touched().insert((item.clone(), token.to_owned()));
    }

    /// It does not exist by our doing.
    pub(super) fn untouch(&self, item: &Item, token: &str) {
        self.touched().remove(&(item.clone(), token.to_owned()));
    }

    /// All that may exist by our doing, and is now to be taken back.
    pub(super) fn take_touched(&self) -> BTreeSet<(Item, String)> {
        std::mem::take(&mut *self.touched())
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<(Item, String)>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn record(
        &self,
        item: &Item,
        token: &str,
        step: JournalStep,
    ) -> Result<(), ProviderError> {
        let place = match item {
            Item::Firewall(_) => &self.region,
            Item::Instance(place) => &place.zone,
        };
        let diary = self.diary.clone().within(Some(place.clone()));
        diary.write(item.kind(), token, step).await
    }
}

/// The token of the last intent for something, if it is not known what became of it.
fn open_intent(entries: &[JournalEntry], kind: &str, id: &str) -> Option<String> {
    let ours = |entry: &&JournalEntry| {
        entry.provider == provider_name()
            && entry.kind == kind
            && entry.token.split('#').next() == Some(id)
    };
    let last = entries.iter().rev().find(ours)?;
    (last.step == JournalStep::Intend).then(|| last.token.clone())
}

/// The request id of a token: a UUID of version 5, so that the same intent is the same request.
pub(super) fn request_id(token: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("railsbench {token}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryJournal;

    #[tokio::test]
    async fn an_open_intent_is_taken_up_and_a_closed_one_is_not() {
        let journal = Arc::new(MemoryJournal::default());
        let run_id = RunId::new("r1").unwrap();
        let ledger = || Ledger::new(journal.clone(), run_id.clone(), "us-central1");
        let item = Item::Instance(Place::new("us-central1-a", "m1"));
        let first = ledger().intend(&item).await.unwrap();
        assert_eq!(ledger().intend(&item).await.unwrap(), first, "after a crash");
        assert_eq!(request_id(&first), request_id(&first));
        ledger().created(&item, &first).await.unwrap();
        let second = ledger().intend(&item).await.unwrap();
        assert_ne!(second, first);
        ledger().removed(&item, &second).await.unwrap();
        let other = Item::Instance(Place::new("us-central1-a", "m10"));
        for item in [item, other] {
            let third = ledger().intend(&item).await.unwrap();
            assert!(![&first, &second].contains(&&third));
            assert_ne!(request_id(&third), request_id(&first));
        }
    }
}
