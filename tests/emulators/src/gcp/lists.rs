//! Lists as the emulated Google gives them: filtered, in pages, and behind the times.

use serde_json::{Map, Value, json};

use super::{Call, Refusal, World};

impl World {
    pub(super) fn list(&mut self, call: &Call, kind: &str) -> Result<Value, Refusal> {
        let filter = call.query("filter").unwrap_or_default().to_owned();
        let things = match kind {
            "instances" => &self.instances,
            "disks" => &self.disks,
            _ => &self.firewalls,
        };
        let mut shown = Vec::new();
        for (key, thing) in things {
            let late = thing.born + self.lag > self.lists;
            let still = thing.gone.is_none_or(|gone| gone + self.lag > self.lists);
            if !late && still && passes(&filter, &thing.body)? {
                shown.push((key.clone(), thing.body.clone()));
            }
        }
        self.lists += 1;
        let from: usize = call.query("pageToken").map_or(0, |token| token.parse().unwrap());
        let most: usize = call.query("maxResults").map_or(500, |most| most.parse().unwrap());
        let size = most.min(self.page);
        let next = (from + size < shown.len()).then(|| (from + size).to_string());
        let page = shown.into_iter().skip(from).take(size);
        let items: Value = if kind == "firewalls" {
            page.map(|(_, body)| body).collect()
        } else {
            let nothing = json!({"warning": {"code": "NO_RESULTS_ON_PAGE"}});
            let zones = self.zones.iter();
            let mut by_zone: Map<String, Value> =
                zones.map(|(zone, _)| (format!("zones/{zone}"), nothing.clone())).collect();
            for (key, body) in page {
                let zone = &mut by_zone[&format!("zones/{}", key.split('/').next().unwrap())];
                match zone[kind].as_array_mut() {
                    Some(items) => items.push(body),
                    None => *zone = json!({kind: [body]}),
                }
            }
            by_zone.into()
        };
        Ok(match next {
            Some(next) => json!({"items": items, "nextPageToken": next}),
            None => json!({"items": items}),
        })
    }
}

/// The filters that railsbench uses; anything else is refused.
fn passes(filter: &str, body: &Value) -> Result<bool, Refusal> {
    let form = regex::Regex::new(
        r"^\(?labels\.railsbench = true\)?(?: AND \(labels\.railsbench-run = ([a-z0-9_-]+)\))?$",
    )
    .unwrap();
    if let Some(pattern) = filter.strip_prefix("name eq ") {
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        return Ok(pattern.is_match(body["name"].as_str().unwrap()));
    }
    let parts = form
        .captures(filter)
        .ok_or_else(|| (400, "invalid", format!("the filter {filter:?} is not understood")))?;
    let labels = &body["labels"];
    let run = parts.get(1).is_none_or(|run| labels["railsbench-run"] == run.as_str());
    Ok(labels["railsbench"] == "true" && run)
}
