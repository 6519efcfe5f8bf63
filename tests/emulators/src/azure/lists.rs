//! Lists, which come in pages.

use serde_json::{Value, json};

use super::answer::{Answer, Request};
use super::world::World;

impl World {
    pub(super) fn page(&self, request: &Request, items: Vec<Value>) -> Answer {
        let from: usize = request.query.get("$skiptoken").map_or(0, |from| from.parse().unwrap());
        let rest: Vec<Value> = items.into_iter().skip(from).collect();
        let mut body = json!({"value": rest.iter().take(self.page).collect::<Vec<_>>()});
        if rest.len() > self.page {
            let mut query: Vec<String> = request
                .query
                .iter()
                .filter(|(name, _)| *name != "$skiptoken")
                .map(|(name, value)| format!("{name}={}", value.replace(' ', "%20")))
                .collect();
            query.push(format!("$skiptoken={}", from + self.page));
            body["nextLink"] = format!("{}{}?{}", self.base, request.path, query.join("&")).into();
        }
        Answer::json(200, body)
    }

    pub(super) fn tagged(&mut self, request: &Request) -> Answer {
        let filter = request.query.get("$filter").cloned().unwrap_or_default();
        let (Some(name), Some(value)) =
            (quoted(&filter, "tagName eq"), quoted(&filter, "tagValue eq"))
        else {
            return Answer::error(400, "BadRequest", "a filter by tag is needed");
        };
        let items = self.resources.values();
        let items = items.filter(|item| item["tags"][&name] == value.as_str());
        let items = items.map(summary).collect();
        self.page(request, items)
    }
}

/// What lists of resources say of one.
pub(super) fn summary(resource: &Value) -> Value {
    let mut summary = json!({});
    for field in ["id", "name", "type", "location", "tags"] {
        summary[field] = resource[field].clone();
    }
    summary
}

/// The text in quotes after `what`.
pub(super) fn quoted(filter: &str, what: &str) -> Option<String> {
    let (_, rest) = filter.split_once(&format!("{what} '"))?;
    Some(rest.split_once('\'')?.0.to_owned())
}
