//! The published schemas of what Azure is sent, and the refusal of all that they do not have.
//!
//! `schemas/azure-*.json` are JSON Schema made from the model metadata of Azure's own Python packages:
//! azure_mgmt_compute 39.0.0, azure_mgmt_network 33.1.0 and azure_mgmt_resource 26.0.0 (each file
//! names its source), reduced to what is called here, without descriptions. In an object that
//! lists its properties, any other is an error; so is one that Azure alone sets (`readOnly`), and
//! a value that an enumeration does not know (`known`).

use std::sync::LazyLock;

use serde_json::Value;

static SCHEMAS: LazyLock<[Value; 3]> = LazyLock::new(|| {
    [
        include_str!("../../schemas/azure-compute.json"),
        include_str!("../../schemas/azure-network.json"),
        include_str!("../../schemas/azure-resource.json"),
    ]
    .map(|text| serde_json::from_str(text).unwrap())
});

/// The sizes that the schema knows are those of 2019; which there are is for the region to say.
const OPEN: [&str; 1] = ["vmSize"];

/// Checks a body against the schema of this name; the error names the place.
pub(super) fn check(root: &str, body: &Value) -> Result<(), String> {
    let schema = SCHEMAS
        .iter()
        .find(|schema| schema["roots"].as_array().unwrap().iter().any(|name| name == root))
        .unwrap_or_else(|| panic!("there is no schema of {root}"));
    let rules = &schema["$defs"][root];
    visit(schema, rules, body, root)
}

fn visit(schema: &Value, rules: &Value, value: &Value, place: &str) -> Result<(), String> {
    if rules["readOnly"] == true {
        return Err(format!("{place} is read-only"));
    }
    if let Some(reference) = rules["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        let target = &schema["$defs"][name];
        assert!(target.is_object(), "{reference} leads nowhere");
        return visit(schema, target, value, place);
    }
    let fits = match rules["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        return Err(format!("{place} is not of type {}", rules["type"]));
    }
    let last = place.rsplit('.').next().unwrap();
    if let Some(known) = rules["known"].as_array().filter(|_| !OPEN.contains(&last))
        && !known.contains(value)
    {
        return Err(format!("{place} cannot be {value}"));
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            visit(schema, &rules["items"], item, &format!("{place}[{index}]"))?;
        }
    }
    let Some(fields) = value.as_object() else { return Ok(()) };
    for name in rules["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{place}.{name} is missing"));
        }
    }
    for (name, field) in fields {
        let place = format!("{place}.{name}");
        match (&rules["properties"][name], &rules["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{place} is unknown")),
            (Value::Null, more) => visit(schema, more, field, &place)?,
            (property, _) => visit(schema, property, field, &place)?,
        }
    }
    Ok(())
}

#[test]
fn what_the_schema_does_not_have_is_refused() {
    use serde_json::json;
    let with = |name: &str, value: Value| {
        let mut body = json!({"location": "eastus", "properties": {"priority": "Regular"}});
        body["properties"][name] = value;
        check("VirtualMachine", &body)
    };
    assert_eq!(with("hardwareProfile", json!({"vmSize": "Standard_D2ps_v9"})), Ok(()));
    for (name, value, problem) in [
        ("provisioningState", json!("Succeeded"), "is read-only"),
        ("colour", json!("red"), "is unknown"),
        ("priority", json!("High"), "cannot be"),
        ("storageProfile", json!({"osDisk": {}}), "createOption is missing"),
        (
            "storageProfile",
            json!({"osDisk": {"createOption": "Empty", "diskSizeGB": "32"}}),
            "type",
        ),
        ("networkProfile", json!({"networkInterfaces": [{"ID": "x"}]}), "[0].ID is unknown"),
    ] {
        let error = with(name, value).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    assert!(check("ResourceGroup", &json!({})).unwrap_err().contains("location is missing"));
}
