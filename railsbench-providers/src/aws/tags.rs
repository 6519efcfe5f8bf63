//! Tags in EC2's form, with the one that railsbench adds here: which machine it is.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use crate::vm::tags::Tags;
pub(super) use crate::vm::tags::{OURS, RUN};

/// The planned name of the machine it belongs to.
pub(super) const MACHINE: &str = "railsbench-machine";

/// What EC2's console shows as the name.
pub(super) const NAME: &str = "Name";

/// The tags of one thing, by key.
#[derive(Debug, Clone)]
pub(super) struct Labels(Vec<(&'static str, String)>);

impl Labels {
    /// Of something that several machines share.
    pub(super) fn new(tags: &Tags, name: &str) -> Self {
        let mut labels = tags.pairs();
        labels.push((NAME, name.to_owned()));
        Self(labels)
    }

    /// Of a machine and what belongs to it.
    pub(super) fn of_machine(tags: &Tags, machine: &str) -> Self {
        let mut labels = Self::new(tags, machine);
        labels.0.push((MACHINE, machine.to_owned()));
        labels
    }

    /// As they go with the call that makes something.
    pub(super) fn on(&self, what: ResourceType) -> TagSpecification {
        let tag = |(key, value): &(&str, String)| Tag::builder().key(*key).value(value).build();
        let tags = self.0.iter().map(tag).collect();
        TagSpecification::builder().resource_type(what).set_tags(Some(tags)).build()
    }
}

/// What the tags of something say; `None` if it is not ours.
pub(super) fn read(tags: &[Tag]) -> Option<Tags> {
    Tags::read(|key| value(tags, key))
}

/// The value of a tag.
pub(super) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}
